"""What a study costs before its first training and after its last: `PYTHONPATH=. python benchmarks/ends.py` prints a table.

The command line runs a study of a few short trainings in a new folder, so MLflow's and Optuna's stores are made as well, and the
records say when the first training began and the last one ended. A run before those counted makes what the cache keeps.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ablate.records import Records

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ends:
    """Seconds of one command: before the first training, until the last one ended, after it, and of all processors together."""

    before: float
    training: float
    after: float
    cpu: float


def measure(study: Path, cache: Path) -> Ends:
    """Run a study in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ABLATE_CACHE": str(cache)}
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "ablate", "run", str(study), "--quick", "--out", "out"]
        used, begun = _cpu(), time.time()
        subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)
        ended, used = time.time(), _cpu() - used
        kept = Records(Path(folder) / "out").load().values()
        first = min(record.started for record in kept)
        last = max(record.started + record.seconds for record in kept)
    return Ends(first - begun, last - first, ended - last, used)


def _cpu() -> float:
    """Seconds of processor time of the processes that ended."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "three_fixes.yaml")
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        measure(asked.study.resolve(), Path(cache))
        found = [measure(asked.study.resolve(), Path(cache)) for _ in range(asked.times)]
    print(f"| `{asked.study.name}`, --quick, {asked.times} times | median s | least | most |\n| --- | ---: | ---: | ---: |")
    for said, name in (
        ("before the first training", "before"),
        ("from the first to the last", "training"),
        ("after the last training", "after"),
        ("processor time, all processes", "cpu"),
    ):
        values = [getattr(each, name) for each in found]
        print(f"| {said} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")


if __name__ == "__main__":
    main()
