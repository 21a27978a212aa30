"""Where, when and by what a study's runs were trained: one entry a `run` that trained something.

`sittings.json` in the study's folder is a list that grows. A report tells of the environment from it, so that it says the same
wherever it is written.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ablate.errors import StorageError
from ablate.records import Records, write_atomic
from ablate.secrets import without_secrets

#: The packages whose versions a reader needs to repeat the study.
PACKAGES = ("torch", "torchvision", "transformers", "numpy", "scipy", "pyarrow", "optuna", "mlflow", "ray")


@dataclass(frozen=True)
class Commit:
    """The state of a git checkout.

    Attributes:
        id: 40 hexadecimal digits; empty where the files are in none, or git is not there.
        changed: whether the files differ from it.
    """

    id: str = ""
    changed: bool = False

    @property
    def said(self) -> str:
        """`1a2b3c4d5e6f, changed since`; empty where there is none."""
        return self.id[:12] + (", changed since" if self.changed else "") if self.id else ""


@dataclass(frozen=True)
class Sitting:
    """One `run` that trained something.

    Attributes:
        started, ended: UTC, ISO 8601; `ended` is empty where the process was killed.
        command: what trains the same again.
        report: what writes the report again.
        engine, workers, device: as asked for; of what each run was on, its record tells.
        study, ablate: the checkouts of the study file and of ablate.
        versions: of Python and of packages that are installed.
        platform, cpu, cores: of the machine that drove it.
    """

    started: str
    command: str
    report: str
    engine: str
    workers: int
    device: str
    study: Commit = field(default_factory=Commit)
    ablate: Commit = field(default_factory=Commit)
    versions: dict[str, str] = field(default_factory=dict)
    platform: str = ""
    cpu: str = ""
    cores: int = 0
    ended: str = ""

    @property
    def seconds(self) -> float:
        """Wall time; 0 where it is not known."""
        if not self.ended:
            return 0.0
        start, end = (datetime.fromisoformat(time) for time in (self.started, self.ended))
        return (end - start).total_seconds()


@contextmanager
def sitting(records: Records, study: Path, command: str, report: str, engine: str, workers: int, device: str) -> Iterator[None]:
    """Note a sitting while it lasts, and its end however it ends.

    Args:
        records: of the study's folder.
        study: the study file.
        command, report: command lines; passwords in them are left out.
    """
    before = sittings(records)
    now = _begun(study, without_secrets(command), without_secrets(report), engine, workers, device)
    _write(records, [*before, now])
    try:
        yield
    except BaseException:
        with suppress(StorageError):  # what ended it is what is to be told
            _end(records, before, now)
        raise
    _end(records, before, now)


def _end(records: Records, before: tuple[Sitting, ...], now: Sitting) -> None:
    _write(records, [*before, replace(now, ended=_clock())])


def sittings(records: Records) -> tuple[Sitting, ...]:
    """The sittings of a folder, first to last; none where nothing was noted or it can't be read."""
    try:
        noted = json.loads(records.sittings.read_text(encoding="utf-8"))
        return tuple(Sitting(**{**each, "study": Commit(**each["study"]), "ablate": Commit(**each["ablate"])}) for each in noted)
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def commit_of(path: Path) -> Commit:
    """The checkout that a file or package lies in, if git tracks anything of it or it is to be added to it."""
    folder = path if path.is_dir() else path.parent
    if not (head := _git(folder, "rev-parse", "HEAD")):
        return Commit()
    tracked = _git(folder, "ls-files", "--", str(path.resolve()))
    if path.is_dir() and not tracked:  # installed into an environment that happens to lie in a checkout
        return Commit()
    only = ["--untracked-files=no"] if path.is_dir() else []
    return Commit(head, bool(_git(folder, "status", "--porcelain", *only, "--", str(path.resolve()))) or not tracked)


def _begun(study: Path, command: str, report: str, engine: str, workers: int, device: str) -> Sitting:
    return Sitting(
        started=_clock(),
        command=command,
        report=report,
        engine=engine,
        workers=workers,
        device=device,
        study=commit_of(study),
        ablate=commit_of(Path(__file__).parent),
        versions=_versions(),
        platform=platform.platform(terse=True),
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
    )


def _write(records: Records, all_: list[Sitting]) -> None:
    text = json.dumps([asdict(each) for each in all_], indent=1, ensure_ascii=False)
    write_atomic(records.sittings, f"{text}\n".encode())


def _clock() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _versions() -> dict[str, str]:
    """Packages are asked for their version, not imported."""
    import ablate

    found = {"python": platform.python_version(), "ablate": ablate.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _git(folder: Path, *words: str) -> str:
    """What git says; nothing where it fails or is not there."""
    try:
        ran = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()
