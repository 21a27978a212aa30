"""The table of all episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.havoc.episode import Episode
from benchmarks.havoc.faults import COLUMNS
from benchmarks.havoc.folder import PHASES


def markdown(episodes: Sequence[Episode], found: Sequence[tuple[str, str]]) -> str:
    """What was killed when, and what came of it."""
    kills = Counter((kill.engine, kill.kind, kill.phase) for episode in episodes for kill in episode.kills)
    kinds = list(dict.fromkeys((engine, kind) for engine, kind, _ in kills))
    rows = [f"| killed | {' | '.join(PHASES)} | all |", f"| --- |{' ---: |' * (len(PHASES) + 1)}"]
    for engine, kind in sorted(kinds):
        counts = [kills[engine, kind, phase] for phase in PHASES]
        rows.append(f"| {kind} ({engine}) | {' | '.join(map(str, counts))} | {sum(counts)} |")
    totals = [sum(kills[engine, kind, phase] for engine, kind in kinds) for phase in PHASES]
    rows.append(f"| all | {' | '.join(map(str, totals))} | {sum(totals)} |")
    return "\n".join([*rows, "", *_faults(found), "", _summary(episodes)])


def _faults(found: Sequence[tuple[str, str]]) -> list[str]:
    counts = Counter(column for column, _ in found)
    return [
        f"| {' | '.join(COLUMNS)} |",
        f"|{' ---: |' * len(COLUMNS)}",
        f"| {' | '.join(str(counts[column]) for column in COLUMNS)} |",
    ]


def _summary(episodes: Sequence[Episode]) -> str:
    starts, kills = sum(each.starts for each in episodes), sum(len(each.kills) for each in episodes)
    seconds = sum(each.seconds for each in episodes)
    return f"{kills} kills in {len(episodes)} studies of 48 runs, {starts} starts, {seconds / 60:.1f} minutes"
