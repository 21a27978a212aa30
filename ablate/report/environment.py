"""Where and by what the runs were trained, for the appendix: from what was noted then, never from where the report is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from ablate.assess import Assessment
from ablate.report.text import duration, plural
from ablate.sittings import Sitting

NOT_NOTED = "not recorded"
Rows = tuple[tuple[str, str], ...]


def environment_rows(found: Assessment) -> Rows:
    """(what, said): when, how, on what device and machine, from which checkouts."""
    sat = found.sittings
    training = sum(record.spent for record in found.records.values())
    time = ("training time", f"{duration(training)} in all runs" + _wall(sat))
    if not sat:
        return time, ("device", _devices(found)), ("environment", f"{NOT_NOTED}: trained before it was noted")
    rows = [
        ("trained", "; ".join(_span(each) for each in _some(sat))),
        time,
        ("engine", _all(f"{each.engine}, {plural(each.workers, 'worker')}" for each in sat)),
        ("device", _devices(found)),
        ("machine", _all(f"{each.cpu}, {plural(each.cores, 'core')}" for each in sat)),
        ("platform", _all(each.platform for each in sat)),
        ("study file", _all(f"commit {each.study.said}" if each.study.id else "in no git checkout" for each in sat)),
        ("ablate", _all(_own(each) for each in sat)),
    ]
    return tuple(rows)


def version_rows(sat: tuple[Sitting, ...]) -> Rows:
    """(package, version) as they were installed; several where that changed between sittings."""
    names = dict.fromkeys(name for each in sat for name in each.versions if name != "ablate")
    return tuple((name, _all(each.versions.get(name, "none") for each in sat)) for name in names)


def _own(each: Sitting) -> str:
    return each.versions.get("ablate", "") + (f", commit {each.ablate.said}" if each.ablate.id else "")


def _all(said: Iterable[str]) -> str:
    """What all sittings say, each thing once, in order."""
    return " → ".join(dict.fromkeys(said))


def _some(sat: tuple[Sitting, ...]) -> tuple[Sitting, ...]:
    return sat if len(sat) < 4 else (sat[0], sat[-1])


def _span(each: Sitting) -> str:
    """`24 November 2026, 17:53 to 18:02 UTC`."""
    start = datetime.fromisoformat(each.started)
    day = f"{start.day} {start:%B %Y}, {start:%H:%M}"
    if not each.ended:
        return f"{day} UTC, broken off"
    end = datetime.fromisoformat(each.ended)
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end.day} {end:%B %Y}, {end:%H:%M}"
    return f"{day} to {until} UTC"


def _wall(sat: tuple[Sitting, ...]) -> str:
    if not any(each.ended for each in sat):
        return ""
    return f", {duration(sum(each.seconds for each in sat))} by the clock" + (f" in {len(sat)} sittings" if len(sat) > 1 else "")


def _devices(found: Assessment) -> str:
    """`cpu`; with the number of runs where there were several."""
    counts = Counter(record.device or NOT_NOTED for record in found.records.values())
    if len(counts) < 2:
        return next(iter(counts), NOT_NOTED)
    return "; ".join(f"{name}: {plural(count, 'run')}" for name, count in sorted(counts.items()))
