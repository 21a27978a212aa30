"""One study that is killed again and again, and started again after each death, until it ends by itself."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.havoc.folder import PLANNED, Folder
from benchmarks.havoc.kills import await_moment, draw, kill, marked

ROOT = Path(__file__).parents[2]
STUDY = Path(__file__).with_name("study.yaml")
#: The variable that marks every process of an episode.
MARK = "ABLATE_CHAOS"
#: Seconds that a start may take to its end, and that what is left of ray may take to be gone. Its workers go within two. An agent
#: that was only starting looks for its dead head for 30, or tries for 70 to tell it that the raylet died; then it ends too.
LIMIT, LINGER = 240.0, 120.0
#: Starts after which a study is given up.
MOST_STARTS = 60


@dataclass(frozen=True)
class Kill:
    """One kill: what was killed, under which engine, and what the study was doing."""

    engine: str
    kind: str
    phase: str


@dataclass
class Episode:
    """What happened.

    Attributes:
        kept: run id → when it was trained, of every run that was recorded at some kill: it may never be trained again.
        exits: of the starts that no kill ended, their exit codes; −1 for one that did not end.
        left: processes that outlived it, by their command lines.
    """

    folder: Folder
    engine: str
    kills: list[Kill] = field(default_factory=list)
    kept: dict[str, float] = field(default_factory=dict)
    exits: list[int] = field(default_factory=list)
    starts: int = 0
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0


def scratch(home: Path) -> Path:
    """Where the studies below a folder have their temporary files."""
    return home / "tmp"


def command(engine: str) -> list[str]:
    """What is started, and started again."""
    words = ["run", str(STUDY), "--out", "out", "--engine", engine]
    return [sys.executable, "-m", "ablate", *words, *(["--workers", "2"] if engine == "ray" else [])]


def live(home: Path, engine: str, early: int, late: int, randomness: random.Random) -> Episode:
    """Start the study in a fresh folder, kill it so many times, and let it end.

    Args:
        early, late: kills while runs are missing, and once none is.
    """
    home.mkdir(parents=True)
    episode, began = Episode(Folder(home), engine), time.monotonic()
    while (len(episode.kills) < early + late or episode.exits[-1:] != [0]) and episode.starts < MOST_STARTS:
        _start(episode, early, early + late, randomness)
    episode.left = _linger(str(home))
    episode.seconds = time.monotonic() - began
    return episode


def _start(episode: Episode, early: int, kills: int, randomness: random.Random) -> None:
    """One start: it ends by itself, or is killed."""
    folder, launched = episode.folder, time.time_ns()
    process = launch(folder, episode.engine)
    episode.starts += 1
    while len(episode.kills) < kills and process.poll() is None:
        missing = folder.recorded() < PLANNED and len(episode.kills) < early
        kind, moment = draw(missing, episode.engine, randomness)
        before = folder.unfinished()
        if not await_moment(moment, folder, process, launched, LIMIT) or not kill(kind, process, randomness):
            continue
        dead = kind != "worker"
        if dead:
            process.wait()
        episode.kills.append(Kill(episode.engine, kind, folder.phase(launched, before)))
        episode.kept |= folder.trained()
        if dead:
            return
    episode.exits.append(_ended(process))


def launch(folder: Folder, engine: str) -> subprocess.Popen[bytes]:
    """Start it in its folder, which marks all that it starts itself: they work there, and have it in their environment."""
    place = scratch(folder.home.parent)
    place.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place), MARK: str(folder.home)}
    with (folder.home / "log.txt").open("ab") as log:
        return subprocess.Popen(command(engine), cwd=folder.home, env=environment, stdout=log, stderr=log, start_new_session=True)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; −1 where it had to be ended."""
    try:
        return process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return -1


def _linger(mark: str) -> list[str]:
    """What is left of all that has a mark once it had time to go, by command lines: it is ended here."""
    deadline = time.monotonic() + LINGER
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    said = [" ".join(process.cmdline())[:80] for process in left if process.is_running()]
    for process in left:
        process.kill()
    return said
