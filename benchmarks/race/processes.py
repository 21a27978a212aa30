"""The two contestants as processes, each in a fresh folder with stores of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from ablate.targets.region_clip.shared import cache_folder

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "three_fixes.yaml"


def factorial(folder: Path, resources: Mapping[str, object] | None = None) -> Path:
    """A study file of the three fixes without its sweeps, written to a folder.

    Args:
        resources: what its own are to be besides.
    """
    yaml = YAML()
    study = yaml.load(STUDY.read_text(encoding="utf-8"))
    del study["sweeps"]
    study.setdefault("resources", {}).update(resources or {})
    path = folder / STUDY.name
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(study, file)
    return path


def peer(folder: Path, seeds: int, *words: str) -> float:
    """Seconds of the baseline's process, from start to end. It leaves `peer.json` in the folder."""
    return _timed(folder, [str(ROOT / "benchmarks" / "peer.py"), "--seeds", str(seeds), "--out", str(folder), *words])


def ours(folder: Path, seeds: int, *words: str, resources: Mapping[str, object] | None = None) -> float:
    """Seconds of `python -m ablate run`, from start to end. It leaves its results in `out` in the folder."""
    folder.mkdir(parents=True)
    study = factorial(folder, resources)
    return _timed(folder, ["-m", "ablate", "run", str(study), "--out", "out", "--seeds", str(seeds), *words])


def forget_scenes() -> None:
    """Delete the scenes that earlier trainings made: whoever comes next would find them."""
    for folder in cache_folder().glob("scenes-*"):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def _timed(folder: Path, words: Sequence[str]) -> float:
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with (folder / "output.txt").open("wb") as output:
        ran = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT, check=False
        )
    seconds = time.perf_counter() - started
    if ran.returncode:
        raise RuntimeError(f"exit {ran.returncode}: {' '.join(words)}\n{(folder / 'output.txt').read_text()[-3000:]}")
    return seconds


def environment() -> dict[str, str]:
    """This process's, with this checkout first on the path and without stores that would be shared."""
    kept = {key: value for key, value in os.environ.items() if key not in ("ABLATE_STORAGE", "MLFLOW_TRACKING_URI")}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    return {**kept, "PYTHONPATH": path, "TRANSFORMERS_OFFLINE": "1"}
