"""The curves that the page draws itself: what its script reads, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ablate.analysis.effects import Array
from ablate.assess import Assessment
from ablate.design import Arm, Plan
from ablate.report.curves import Band, Curves
from ablate.report.curves_plot import events, limits
from ablate.report.labels import alone, metric_label, step_label
from ablate.report.palette import INK, SOFT, fix_styles

#: With more arms than this only the ends and each fix alone are shown at first.
MOST_SHOWN = 8
#: What a page may hold: points of all arms and metrics. Beyond it the arms that are shown at first are the only ones.
MOST_POINTS = 150_000
#: Tones of the arms that are no fix's own, light to dark in turn; each still stands out on white.
GREYS = ("#8D97A3", "#A9B1BB", "#74808D", "#B9A98F", "#95A89A")
#: Digits that are kept: more than a screen can show.
DIGITS = 5


@dataclass(frozen=True)
class ArmLine:
    """How an arm is drawn in every plot.

    Attributes:
        label: its name.
        cell: its cell.
        colour, width, dash: of its line; `#RRGGBB`, pixels, pixels of ink and gap.
        kind: `end`, `single` or `other`.
        shown: at first.
    """

    label: str
    cell: str
    colour: str
    width: float
    dash: tuple[float, ...]
    kind: str
    shown: bool


@dataclass(frozen=True)
class Plot:
    """A metric's plot.

    Attributes:
        metric: its name.
        unit: ` (nats)`, as it follows the name.
        text: what it is, as the target declares it.
        why: why it can't be compared across arms; empty where it can.
        chance: the metric of its chance level, if it has one.
        window: steps that each point is a mean over; 1 where every logged step is drawn.
        size: `large` for a metric that can't be compared and for its twin, `half` or `third` of the page for others.
        events: what the vertical lines mark.
        data: what the script reads: `x`, the name of a step; `window`; the `range` of y; `grids` of steps; one an arm, or null:
            `bands`, `levels` of chance, and `starts`, the steps at which something began.
    """

    metric: str
    unit: str
    text: str
    why: str
    chance: str
    window: int
    size: str
    events: tuple[str, ...]
    data: dict[str, Any]


@dataclass(frozen=True)
class Lines:
    """All arms and plots; `left_out` counts the arms that the page has no room for."""

    arms: tuple[ArmLine, ...]
    plots: tuple[Plot, ...]
    left_out: int

    def script(self) -> dict[str, Any]:
        """What the page's script reads."""
        plots = [{"metric": plot.metric, **plot.data} for plot in self.plots]
        keys = ("label", "colour", "width", "dash", "kind")
        return {"arms": [{key: getattr(arm, key) for key in keys} for arm in self.arms], "plots": plots}


def lines(found: Assessment, curves: Curves) -> Lines:
    """The curves of the study's own arms, the metric that can't be compared beside its twin."""
    arms = arm_lines(found.plan)
    metrics = [name for name in _metrics(found) if any(curves.band(arm.cell, name) for arm in arms)]
    size = sum(len(band.steps) for name in metrics for arm in arms if (band := curves.band(arm.cell, name)))
    kept = arms if 3 * size <= MOST_POINTS else tuple(arm for arm in arms if arm.shown)
    plots = tuple(_plot(found, curves, kept, name) for name in metrics)
    return Lines(kept, _sized(plots, found), len(arms) - len(kept))


def arm_lines(plan: Plan) -> tuple[ArmLine, ...]:
    """The arms in standard order."""
    styles, fixes = fix_styles(plan.fixes), frozenset(plan.fixes)
    order = plan.arm_ids()
    arms = sorted(plan.arms.items(), key=lambda item: order.index(item[1]))
    few, grey = len(arms) <= MOST_SHOWN, 0
    drawn = []
    for arm, cell in arms:
        label, shown = alone(plan.fixes, plan.cells[cell].label), few or _is_plain(arm, fixes)
        if arm in (frozenset(), fixes):
            width, dash = (2.2, ()) if arm else (1.6, (5.0, 3.0))
            drawn.append(ArmLine(label, cell, INK if arm else SOFT, width, dash, "end", shown))
        elif len(arm) == 1:
            style = styles[next(iter(arm))]
            drawn.append(ArmLine(label, cell, style.colour, 1.8, style.dash, "single", shown))
        else:
            drawn.append(ArmLine(label, cell, GREYS[grey % len(GREYS)], 1.3, (), "other", shown))
            grey += 1
    return tuple(drawn) if any(arm.shown for arm in drawn) else _first(drawn)


def _is_plain(arm: Arm, fixes: frozenset[str]) -> bool:
    return len(arm) <= 1 or arm == fixes


def _first(drawn: list[ArmLine]) -> tuple[ArmLine, ...]:
    """A fraction may have neither ends nor single fixes: its first arms are shown."""
    return tuple(ArmLine(**{**vars(arm), "shown": index < MOST_SHOWN}) for index, arm in enumerate(drawn))


def _metrics(found: Assessment) -> list[str]:
    """The study's curves in its order, each followed by its twin, then the target's probes."""
    declared = found.plan.target.declaration.metrics
    names: list[str] = []
    for name in found.plan.study.curves:
        twin = declared[name].twin if name in declared else None
        names += [name, *([twin] if twin else [])]
    return list(dict.fromkeys([*names, *(name for name, about in declared.items() if about.probe)]))


def _plot(found: Assessment, curves: Curves, arms: Iterable[ArmLine], metric: str) -> Plot:
    about = found.plan.target.declaration.metrics.get(metric)
    chance = (about.chance if about else None) or ""
    bands = [curves.band(arm.cell, metric) for arm in arms]
    levels = [curves.band(arm.cell, chance) if chance else None for arm in arms]
    grids: list[list[float | None]] = []
    starts = _starts(found, curves, arms)
    data = {
        "x": step_label(found.plan),
        "window": curves.window(metric),
        "range": _range([band for band in (*bands, *levels) if band]),
        "bands": [_band(band, grids) for band in bands],
        "levels": [_level(band, grids) for band in levels] if chance else [],
        "starts": [sorted({at[arm.cell] for at in starts.values() if arm.cell in at}) for arm in arms],
        "grids": grids,
    }
    text, why = (about.text, about.incomparable or "") if about else ("", "")
    unit = metric_label(found.plan, metric, len(metric)).removeprefix(metric)
    return Plot(metric, unit, text, why, chance, curves.window(metric), "third", tuple(starts), data)


def _starts(found: Assessment, curves: Curves, arms: Iterable[ArmLine]) -> dict[str, dict[str, float]]:
    """What began in some arm → cell → the step; nothing of what never did."""
    known = {said: {arm.cell: curves.start(arm.cell, name) for arm in arms} for name, said in events(found.plan).items()}
    begun = {said: {cell: step for cell, step in at.items() if step is not None} for said, at in known.items()}
    return {said: at for said, at in begun.items() if at}


def _sized(plots: tuple[Plot, ...], found: Assessment) -> tuple[Plot, ...]:
    """The plots with their sizes: those that belong together large and first, of the others none alone in its row."""
    declared = found.plan.target.declaration.metrics
    pairs = {name for plot in plots if plot.why for name in (plot.metric, declared[plot.metric].twin)}
    large = [replace(plot, size="large") for plot in plots if plot.metric in pairs]
    others = [plot for plot in plots if plot.metric not in pairs]
    halves = {0: 0, 1: 4, 2: 2}[len(others) % 3]
    whole = max(0, len(others) - halves)
    return (*large, *others[:whole], *(replace(plot, size="half") for plot in others[whole:]))


def _range(bands: list[Band]) -> list[float]:
    """Limits of y; a metric that never changes but for rounding has some room about it."""
    low, high = limits(bands)
    room = 0.05 * max(abs(low), abs(high)) if high - low < 1e-3 * max(abs(low), abs(high)) else 0.0
    return [float(f"{low - room:.5g}"), float(f"{high + room:.5g}")]


def _band(band: Band | None, grids: list[list[float | None]]) -> dict[str, Any] | None:
    if band is None:
        return None
    mean, low, high = (_rounded(values) for values in (band.mean, band.low, band.high))
    return {"grid": _grid(band, grids), "mean": mean, "low": low, "high": high, "seeds": band.seeds}


def _level(band: Band | None, grids: list[list[float | None]]) -> dict[str, Any] | None:
    return {"grid": _grid(band, grids), "mean": _rounded(band.mean)} if band else None


def _grid(band: Band, grids: list[list[float | None]]) -> int:
    """Where the band's steps stand in `grids`: nearly all arms have the same."""
    steps = _rounded(band.steps, 9)
    if steps not in grids:
        grids.append(steps)
    return grids.index(steps)


def _rounded(values: Array, digits: int = DIGITS) -> list[float | None]:
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]
