"""Is anything lost when processes die? Studies of 48 short runs, killed at random and at chosen moments, against one undisturbed.

`PYTHONPATH=. python benchmarks/chaos.py --kills 200 --seed 0` prints which kinds of kill hit which phase of a study and what was
lost, duplicated, corrupt or left over; it exits with 1 where anything was. It takes about 25 minutes on 2 cores.

A study is killed several times, by SIGKILL: one ray worker, the driver, both, or the driver's whole process group. After a death
of the driver the same command is given again, until it ends by itself. Moments are drawn by `--seed`: seconds after the start, a
number of runs, and the very moment at which a file or a store is being written, the report is made, or MLflow is told of it. What
a kill hit is told from what it left behind. On a busy machine the same seed hits other moments: kinds and delays repeat, times
don't.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.havoc.episode import Episode, live, scratch
from benchmarks.havoc.faults import Reference, faults, reference
from benchmarks.havoc.table import markdown

#: Kills of one study while its runs are trained, at most, and once they all are.
EARLY, LATE = 9, 3


def chaos(
    home: Path, wanted: Reference, kills: Mapping[str, int], seed: int, jobs: int = 1
) -> tuple[list[Episode], list[tuple[str, str]]]:
    """Kill so many times under each engine; the episodes, and each fault with its column.

    Args:
        home: a folder for the studies'.
        wanted: what they are held against.
        jobs: studies at a time.
    """

    def one(engine: str, number: int, early: int, late: int) -> tuple[Episode, list[tuple[str, str]]]:
        episode = live(home / f"{engine}-{number:02}", engine, early, late, random.Random(f"{seed} {engine} {number}"))
        return episode, _told(episode, wanted)

    asked = [(engine, *each) for engine, wish in kills.items() for each in shares(wish)]
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(one, *zip(*asked, strict=True)))
    return [episode for episode, _ in done], [fault for _, faults in done for fault in faults]


def shares(kills: int) -> list[tuple[int, int, int]]:
    """How many kills each study gets: its number, early kills and late ones."""
    each = split(kills, max(1, round(kills / (EARLY + LATE))))
    return [(number, share - share * LATE // (EARLY + LATE), share * LATE // (EARLY + LATE)) for number, share in enumerate(each)]


def split(whole: int, parts: int) -> list[int]:
    """A number in almost equal parts."""
    return [whole * (i + 1) // parts - whole * i // parts for i in range(parts)]


def _told(episode: Episode, wanted: Reference) -> list[tuple[str, str]]:
    """An episode's faults, with a line on it."""
    found = faults(episode, wanted)
    phases = ", ".join(f"{kill.kind} in {kill.phase}" for kill in episode.kills)
    print(f"{episode.folder.home.name} {episode.engine} {episode.seconds:.0f} s: {phases}", file=sys.stderr, flush=True)
    for column, what in found:
        print(f"  {column}: {what}", file=sys.stderr, flush=True)
    return found


def main(words: list[str] | None = None) -> int:
    """Run it; 1 where anything was lost, duplicated, corrupt or left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument("--engine", choices=["ray", "inline", "both"], default="both", help="half of the kills each")
    parser.add_argument("--jobs", type=int, default=1, help="studies at a time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the studies' folders there")
    chosen = parser.parse_args(words)
    home = (chosen.keep or Path(tempfile.mkdtemp(prefix="chaos-"))).resolve()
    engines = ("inline", "ray") if chosen.engine == "both" else (chosen.engine,)
    kills = dict(zip(engines, split(chosen.kills, len(engines)), strict=True))
    try:
        undisturbed = live(home / "undisturbed", "inline", 0, 0, random.Random(chosen.seed))
        wanted = reference(undisturbed.folder)
        episodes, found = chaos(home, wanted, kills, chosen.seed, chosen.jobs)
        found += faults(undisturbed, wanted)
        left = folders(home)
        if "ray" in engines:  # undisturbed, it gives the same, and takes away what ray left of the others
            last = live(home / "last", "ray", 0, 0, random.Random(chosen.seed))
            found += _told(last, wanted) + [("left over", str(path)) for path in folders(home)]
    finally:
        if not chosen.keep:
            shutil.rmtree(home)
    print(markdown(episodes, found))
    print(f"\nray's folders that were left: {len(left)}, of {sum(left.values()) / 2**20:.1f} MiB in all")
    return int(bool(found))


def folders(home: Path) -> dict[Path, int]:
    """ray's folders that are there, each with its bytes."""
    found = scratch(home).glob("ablate-ray-*")
    return {path: sum(each.lstat().st_size for each in path.rglob("*")) for path in found}


if __name__ == "__main__":
    sys.exit(main())
