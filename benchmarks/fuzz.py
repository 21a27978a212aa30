"""Broken input, through the real command line: `PYTHONPATH=. python benchmarks/fuzz.py --files 10000 --rows 10000 --seed 0`.

Study files go to `plan`, data sets to `audit` and, as a study's data, to `plan`. Each must end with exit code 0, or 2 and one
line, within a second, and leave nothing behind. One in 200 is tried in a process of its own as well, which must say the same.
Whatever else happens is a finding: the smallest input of each kind is kept in `--keep`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as st

from benchmarks.fuzzing.drive import LIMIT, Seen, apart, here
from benchmarks.fuzzing.rows import data_set, images, made, real
from benchmarks.fuzzing.studies import OPTIONS, ROOT, STUDIES

#: One in so many is tried in a process of its own too.
SHARE = 200
#: A study of region data, which `--set data=` names.
REGIONS = """\
name: regions
target: ablate.targets.region_clip:train
fixes: {scale: {off: {logit_scale_init: 2.6592}, on: {logit_scale_init: 4.6052}}}
outcome: {metric: eval/region_top1}
"""


@dataclass
class Tally:
    """What came of one kind of input."""

    inputs: int = 0
    ends: dict[int, int] = field(default_factory=lambda: {0: 0, 2: 0})
    tracebacks: int = 0
    other: int = 0
    slowest: float = 0.0
    lines: int = 0
    apart: int = 0

    def add(self, seen: Seen) -> None:
        self.inputs += 1
        self.slowest = max(self.slowest, seen.ms)
        if seen.trace:
            self.tracebacks += 1
        elif seen.wrong:
            self.other += 1
        else:
            self.ends[seen.code or 0] += 1
            self.lines += seen.code == 2


@dataclass
class Fuzz:
    """A fuzzing run in a folder of its own: inputs lie in `inputs`, and commands run in `work`, which must stay empty."""

    folder: Path
    data: Path
    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: dict[str, tuple[bytes, list[str], Seen]] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.inputs, self.work = self.folder / "inputs", self.folder / "work"
        self.inputs.mkdir()
        self.work.mkdir()
        self.names = images(self.inputs / "images")
        self.known = real(self.data)
        (self.inputs / "regions.yaml").write_text(REGIONS, encoding="utf-8")
        self.kept = sorted(os.listdir(self.inputs))

    def warm(self) -> None:
        """Import what the commands import, which the watchdog must not interrupt."""
        self.try_("warm", REGIONS.encode(), ".yaml", ["plan", "FILE"], limit=60)
        self.try_("warm", json.dumps(made(self.names, random.Random(0))).encode(), ".json", self._as_data(self.inputs), limit=60)
        self.try_("warm", json.dumps(made(self.names, random.Random(0))).encode(), ".json", ["audit", "FILE"], limit=60)
        del self.tallies["warm"]

    def _as_data(self, images: Path) -> list[str]:
        return ["plan", str(self.inputs / "regions.yaml"), "--set", "data=FILE", "--set", f"image_root={images}"]

    def try_(self, kind: str, content: bytes, suffix: str, words: list[str], limit: float = LIMIT) -> None:
        """One input; `FILE` among the words stands for its file."""
        self.count += 1
        path = self.inputs / f"{self.count}{suffix}"  # a name of its own: what is read of a path is remembered
        path.write_bytes(content)
        said = [word.replace("FILE", str(path)) for word in words]
        seen = here(said, limit)
        tally = self.tallies.setdefault(kind, Tally())
        tally.add(seen)
        wrong = seen.wrong or self._left(path)
        if not wrong and self.count % SHARE == 0:
            tally.apart += 1
            alone = apart(said)
            wrong = alone.wrong or (
                "" if (alone.code, alone.err) == (seen.code, seen.err) else "another end in a process of its own"
            )
            seen = alone if wrong else seen
        path.unlink()
        if wrong:
            self._note(f"{kind}: {wrong}", content, words, seen)

    def _left(self, path: Path) -> str:
        left = [
            *os.listdir(self.work),
            *(name for name in os.listdir(self.inputs) if name not in self.kept and name != path.name),
        ]
        return f"left {', '.join(left)}" if left else ""

    def _note(self, wrong: str, content: bytes, words: list[str], seen: Seen) -> None:
        key = wrong[:120]
        if key not in self.findings or len(content) < len(self.findings[key][0]):
            self.findings[key] = content, words, seen

    def studies(self, count: int, seed: int) -> None:
        for kind, strategy in STUDIES.items():
            some = -(-count // len(STUDIES))
            _each(
                st.tuples(strategy, OPTIONS),
                some,
                seed,
                lambda given, kind=kind: self.try_(f"study, {kind}", given[0], ".yaml", ["plan", "FILE", *given[1]]),
            )

    def rows(self, count: int, seed: int) -> None:
        _each(st.integers(0, 2**64 - 1), count, seed, self._row)

    def _row(self, seed: int) -> None:
        drawn = data_set(seed, self.known, self.names)
        if drawn.form == "FineHARD" and seed % 2:
            self.try_("data, as a study's", drawn.content, drawn.suffix, self._as_data(drawn.images or self.inputs))
        else:
            self.try_(f"data, {drawn.form}", drawn.content, drawn.suffix, ["audit", "FILE", *drawn.options])


def _each(strategy: st.SearchStrategy[Any], count: int, seed: int, use: Any) -> None:
    settings = hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )

    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(strategy)
    def run(given: Any) -> None:
        use(given)

    run()


@contextmanager
def fuzzing(data: Path) -> Iterator[Fuzz]:
    """A fuzzing run, its folder gone when it ends."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="ablate-fuzz-") as folder:
        fuzz = Fuzz(Path(folder), data)
        os.chdir(fuzz.work)
        try:
            fuzz.warm()
            yield fuzz
        finally:
            os.chdir(before)


def table(tallies: dict[str, Tally]) -> str:
    """Markdown: a row a kind of input."""
    rows = [
        "| kind | inputs | exit 0 | exit 2 | tracebacks | other | slowest | one-line errors checked | also apart |",
        "| --- |" + " ---: |" * 8,
    ]
    for kind, seen in tallies.items():
        counts = (
            seen.inputs,
            seen.ends[0],
            seen.ends[2],
            seen.tracebacks,
            seen.other,
            f"{seen.slowest:.0f} ms",
            seen.lines,
            seen.apart,
        )
        rows.append(f"| {kind} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(rows)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--files", type=int, default=10_000)
    words.add_argument("--rows", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="real rows, where they are there")
    words.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where inputs that went wrong are kept")
    asked = words.parse_args()
    keep, start = asked.keep.resolve(), time.perf_counter()
    with fuzzing(asked.data.resolve()) as fuzz:
        fuzz.studies(asked.files, asked.seed)
        fuzz.rows(asked.rows, asked.seed)
    print(table(fuzz.tallies))
    print(f"{time.perf_counter() - start:.0f} s; seed {asked.seed}; {len(fuzz.findings)} findings")
    for number, (wrong, (content, said, seen)) in enumerate(fuzz.findings.items()):
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{number}.input").write_bytes(content)
        (keep / f"{number}.txt").write_text(
            f"{wrong}\n{said}\n{seen.trace}\n{seen.err}\n{seen.out}", encoding="utf-8", errors="replace"
        )
        print(f"finding {number}: {wrong}")
    sys.exit(1 if fuzz.findings else 0)


if __name__ == "__main__":
    main()
