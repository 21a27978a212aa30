"""The cells of a study as the appendix lists them: arms by fix, sweep points, placebos, and the params that tell arms apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ablate.assess import Assessment
from ablate.design import Cell, run_id
from ablate.records import outcome_of
from ablate.report.palette import fix_styles
from ablate.report.text import clipped, number, param, plural

#: Arms side by side in the table of params, and characters of a value there.
BESIDE, LONGEST = 8, 16


@dataclass(frozen=True)
class FixKey:
    """A fix with its colour and matplotlib mark, as the columns of the design's table show it."""

    name: str
    colour: str
    mark: str


@dataclass(frozen=True)
class ArmRow:
    """An arm: how many of its seeds completed, its mean outcome ± standard deviation, its mean seconds.

    Attributes:
        number: of the arm, from 1, in the design's order; the same in each context.
        context: empty for the study's own.
        on: whether each fix is.
    """

    label: str
    cell: str
    seeds: str
    outcome: str
    seconds: str
    number: int = 0
    context: str = ""
    on: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Differing:
    """Params that differ between some arms: `rows` has (param, number of the fix that sets it or 0, its value in each arm)."""

    arms: tuple[int, ...]
    rows: tuple[tuple[str, int, tuple[str, ...]], ...]


def fix_keys(found: Assessment) -> tuple[FixKey, ...]:
    """The fixes of the design."""
    return tuple(FixKey(name, style.colour, style.mark) for name, style in fix_styles(found.plan.fixes).items())


def arm_rows(found: Assessment) -> tuple[ArmRow, ...]:
    """The study's own arms, then those of each context."""
    plan, seen, rows = found.plan, set[str](), []
    for context in (None, *plan.contexts):
        for at, (arm, cell) in enumerate(zip(plan.layout.arms, plan.arm_ids(context), strict=True), 1):
            if cell not in seen:
                seen.add(cell)
                on = tuple(fix in arm for fix in plan.fixes)
                rows.append(_row(found, plan.cells[cell], plan.seeds, at, context or "", on))
    return tuple(rows)


def point_rows(found: Assessment) -> tuple[tuple[str, tuple[ArmRow, ...]], ...]:
    """(title, cells) of each sweep, and of the placebos."""
    plan = found.plan
    parts = [(f"Sweep {name} of {plan.study.sweeps[name].param}", _swept(found, name)) for name in plan.sweeps]
    parts += [
        (f"Placebo {name}", tuple(_row(found, plan.cells[cell], plan.seeds) for cell in pair))
        for name, pair in plan.placebos.items()
    ]
    return tuple((title, rows) for title, rows in parts if rows)


def _swept(found: Assessment, name: str) -> tuple[ArmRow, ...]:
    """The cells of a sweep by value; one that is an arm of the design as well is called by both."""
    rows = []
    for point in found.plan.sweeps[name]:
        for cell in point.cells:
            row, value = _row(found, found.plan.cells[cell], point.seeds), f"{name}={point.value:g}"
            rows.append(row if row.label.startswith(value) else replace(row, label=f"{value}, the same as {row.label}"))
    return tuple(rows)


def shared_params(found: Assessment) -> tuple[tuple[str, str], ...]:
    """Every param that is the same in all of the study's own arms, as the runs resolved it."""
    cells = [found.plan.cells[cell].params for cell in found.plan.arm_ids()]
    differing = set(_differing(cells))
    return tuple((name, param(value)) for name, value in cells[0].items() if name not in differing)


def differing_params(found: Assessment) -> tuple[Differing, ...]:
    """The params that are not, some arms at a time."""
    plan = found.plan
    cells = [plan.cells[cell].params for cell in plan.arm_ids()]
    owners = {name: at for at, fix in enumerate(plan.fixes, 1) for side in _sides(found, fix) for name in side}
    names = sorted(_differing(cells), key=lambda name: owners.get(name, 0))
    parts = [range(start, min(start + BESIDE, len(cells))) for start in range(0, len(cells), BESIDE)]
    return tuple(
        Differing(
            tuple(at + 1 for at in part),
            tuple((name, owners.get(name, 0), tuple(_value(cells[at], name) for at in part)) for name in names),
        )
        for part in (parts if names else ())
    )


def _sides(found: Assessment, fix: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    given = found.plan.study.fixes[fix]
    return given.off, given.on


def _differing(cells: list[Mapping[str, Any]]) -> Iterator[str]:
    """Names of params that any two cells have otherwise."""
    for name in dict.fromkeys(name for cell in cells for name in cell):
        if len({repr(cell.get(name, _UNSET)) for cell in cells}) > 1:
            yield name


_UNSET = object()


def _value(cell: Mapping[str, Any], name: str) -> str:
    return clipped(param(cell[name]), LONGEST) if name in cell else "unset"


def _row(found: Assessment, cell: Cell, seeds: int, number_: int = 0, context: str = "", on: tuple[bool, ...] = ()) -> ArmRow:
    """A cell, over its paired seeds."""
    metric = found.plan.study.outcome.metric
    records = [record for seed in range(seeds) if (record := found.records.get(run_id(cell.id, seed)))]
    done = [record for record in records if record.state == "completed"]
    values = np.array([outcome_of(record, metric) for record in done])
    values = values[np.isfinite(values)]
    spread = f" ± {number(float(values.std(ddof=1)), 2)}" if len(values) > 1 else ""
    mean = number(float(values.mean())) if len(values) else "–"
    seconds = number(float(np.mean([record.seconds for record in done]))) if done else "–"
    counts = {state: sum(record.state == state for record in records) for state in ("diverged", "failed")}
    lost = "".join(f", {count} {state}" for state, count in counts.items() if count)
    return ArmRow(cell.label, cell.id, f"{len(done)} of {seeds}{lost}", mean + spread, seconds, number_, context, on)


def listed(seeds: int) -> str:
    """`6 (0, 1, 2, 3, 4, 5)`; of many, the first and last."""
    if seeds < 1:
        return "none"
    return f"{seeds} (" + (", ".join(map(str, range(seeds))) if seeds <= 8 else f"0 to {seeds - 1}") + ")"


def counted(found: Assessment) -> str:
    """`15 (8 arms, 7 further cells)`."""
    plan = found.plan
    elsewhere = sum(bool(plan.context_of(cell)) for cell in plan.cells)
    further = len(plan.cells) - len(plan.arms) - elsewhere
    arms = plural(len(plan.arms), "arm") + (f", {elsewhere} in contexts" if elsewhere else "")
    return f"{len(plan.cells)} ({arms}, {plural(further, 'further cell')})"
