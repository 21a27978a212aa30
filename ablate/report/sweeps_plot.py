"""The figure of the sweeps: the outcome against each knob, with what a fix sets the knob to, off and on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ablate.analysis.sweeps import Response
from ablate.assess import Assessment
from ablate.design import Plan
from ablate.report.labels import folded, metric_label, param_label
from ablate.report.palette import INK, FixStyle, fix_styles
from ablate.report.strokes import columns_of, outer, upright
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.text import clipped

#: Largest over smallest value above which a positive knob is drawn on a logarithmic axis.
LOG_RATIO = 20
CAPTION = (
    "The outcome against each swept knob: mean and 95 % interval, from the noise of all values and seeds of the sweep. Diamond: "
    "the best mean; filled: can't be told from it (multiple comparisons with the best, 95 %); hollow: shown to be worse."
)
LOGS = " A knob of a wide range has a logarithmic axis"
ZERO = ", with 0 set before it, not to scale"
STRIPES = " Stripes: what the fix that sets the knob means by off (dashed) and on (solid)."


def logarithmic(values: Sequence[float]) -> bool:
    """Whether a knob's values read better on a logarithmic axis."""
    return min(values) > 0 and max(values) / min(values) > LOG_RATIO


def marks(plan: Plan, name: str) -> dict[tuple[str, str], float]:
    """(fix, `off` or `on`) → the place on the sweep's axis of what the fix sets the swept knob to.

    A sweep may give the knob under another name (the scale for its logarithm), so resolved params are
    compared: a param that varies over the points and that the fix changes tells where between the points its
    off and its on lie. Places beyond the swept range are left out.
    """
    points = plan.sweeps[name]
    values = np.array([point.value for point in points])
    found: dict[tuple[str, str], float] = {}
    for fix in plan.fixes:
        off, on = plan.params_of(frozenset()), plan.params_of(frozenset({fix}))
        for key in (key for key in off if off[key] != on.get(key)):
            swept = [plan.cells[point.cell].params.get(key) for point in points]
            if not all(map(_is_number, [*swept, off[key], on.get(key)])) or len(set(swept)) < 2:
                continue
            for state, params in (("off", off), ("on", on)):
                place = _place(float(params[key]), np.array(swept, dtype=float), values)
                if place is not None:
                    found.setdefault((fix, state), place)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _place(target: float, resolved: Any, values: Any) -> float | None:
    """Where on the axis the resolved param has the target's value: interpolated between the points."""
    if np.any(np.diff(resolved) <= 0):
        resolved, values = resolved[::-1], values[::-1]
    if np.any(np.diff(resolved) <= 0) or not resolved[0] <= target <= resolved[-1]:
        return None
    if np.allclose(resolved, values):
        return target
    logs = bool(np.all(values > 0)) and abs(_correlation(resolved, np.log(values))) > abs(_correlation(resolved, values))
    return float(np.exp(np.interp(target, resolved, np.log(values)))) if logs else float(np.interp(target, resolved, values))


def _correlation(x: Any, y: Any) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def shown_sweeps(found: Assessment) -> list[str]:
    """The sweeps of which at least one point has a completed run."""
    return [name for name, responses in found.sweeps.items() if any(r.mean is not None for r in responses)]


def caption(found: Assessment) -> str:
    """What is drawn; of stripes and of logarithmic axes only where there are any."""
    logs = [scale for name in shown_sweeps(found) if (scale := _scale(found, name)) != "linear"]
    spaced = LOGS if logs else ""
    spaced += ZERO if "symlog" in logs else ""
    return CAPTION + (STRIPES if _marked(found) else "") + (f"{spaced}." if spaced else "")


def _marked(found: Assessment) -> bool:
    return any(marks(found.plan, name) for name in shown_sweeps(found))


def sweeps(found: Assessment) -> Any:
    """A panel a sweep: mean and 95 % interval over seeds at each value."""
    names = shown_sweeps(found)
    columns = columns_of(len(names), 3)
    rows = -(-len(names) // columns)
    top = 0.44 if _marked(found) else 0.12
    figure = new_figure(min(TEXT_WIDTH, 0.7 + 3.0 * columns), rows * 1.6 + (rows - 1) * (top + 0.6) + top + 0.56)
    all_axes = grid(figure, rows, columns, len(names), (0.66, 0.1, 0.56, top), (0.34, top + 0.6))
    bounds = _shared([_limits([r for r in found.sweeps[name] if r.mean is not None]) for name in names])
    for index, (axes, name) in enumerate(zip(all_axes, names, strict=True)):
        axes.set_ylim(*bounds)
        axes.locator_params(axis="y", nbins=6)
        _sweep(axes, found, name)
        outer(axes, index % columns == 0)
        if index % columns == 0:
            axes.set_ylabel(folded(metric_label(found.plan, found.plan.study.outcome.metric), 26, 2))
    return figure


def _shared(each: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """One scale for all sweeps of the same outcome."""
    return min(low for low, _ in each), max(high for _, high in each)


def _sweep(axes: Any, found: Assessment, name: str) -> None:
    responses = [r for r in found.sweeps[name] if r.mean is not None]
    value_axis(axes, found, name)
    styles, places = fix_styles(found.plan.fixes), marks(found.plan, name)
    colour = styles[next(iter(places))[0]].colour if places else INK
    _draw_marks(axes, places, styles)
    searched = found.plan.study.sweeps[name].values is None
    axes.plot([r.value for r in responses], [r.mean for r in responses], color=colour, lw=0.6 if searched else 1.2, zorder=3)
    best = found.knobs[name].best
    for r in responses:
        upright(axes, r.value, r.ci, axes.get_ylim(), color=colour)
        top = best is not None and r.value == best.value
        worse = best is not None and not top and r.value not in best.rivals
        face = "white" if worse else colour
        axes.plot([r.value], [r.mean], "D" if top else "o", ms=6 if top else 4.2, mfc=face, mec=colour, zorder=5 if top else 4)
    param = found.plan.study.sweeps[name].param
    label = param_label(found.plan, param, 24)
    axes.set_xlabel(label if param == name else f"{clipped(name, 34)}\n{label}", labelpad=2)


def _values(found: Assessment, name: str) -> list[float]:
    return sorted({float(r.value) for r in found.sweeps[name]})


def _scale(found: Assessment, name: str) -> str:
    """Which of matplotlib's scales a knob's axis has."""
    log, values = found.plan.study.sweeps[name].log, _values(found, name)
    above = [value for value in values if value > 0]
    if values[0] == 0 and len(above) > 1 and logarithmic(above) and not log:
        return "symlog"
    return "log" if log or logarithmic(values) else "linear"


def value_axis(axes: Any, found: Assessment, name: str) -> None:
    """The knob's axis: logarithmic where its values read better so, or where they were searched so; 0 may stand before it."""
    sweep, values, scale = found.plan.study.sweeps[name], _values(found, name), _scale(found, name)
    above = [value for value in values if value > 0]
    if scale == "symlog":
        axes.set_xscale("symlog", linthresh=above[0], linscale=0.4)
        axes.set_xlim(-0.35 * above[0], above[-1] * 1.3)
        ticks = [0.0, *_spaced(above)]
    elif scale == "log":
        axes.set_xscale("log")
        ticks = _spaced(values) if sweep.values is not None else _round_values(min(values), max(values))
    else:
        room = 0.05 * (values[-1] - values[0]) or 0.5
        axes.set_xlim(values[0] - room, values[-1] + room)
        axes.locator_params(axis="x", nbins=5)
        return
    axes.set_xticks(ticks, [f"{value:.4g}" for value in ticks])
    axes.minorticks_off()


def _round_values(low: float, high: float) -> list[float]:
    """1, 10, 100 within a range; 1, 2, 5, 10 where that gives fewer than three."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for digits in ((1,), (1, 2, 5)):
        found = [digit * 10.0**decade for decade in decades for digit in digits if low <= digit * 10.0**decade <= high]
        if len(found) >= 3:
            break
    return found or [low, high]


def _spaced(values: Sequence[float]) -> list[float]:
    """The values whose labels have room on a logarithmic axis."""
    room = 0.08 * np.log(max(values) / min(values))
    kept = [values[0]]
    for value in values[1:]:
        if np.log(value / kept[-1]) > room:
            kept.append(value)
    return kept


def _draw_marks(axes: Any, places: dict[tuple[str, str], float], styles: Mapping[str, FixStyle]) -> None:
    """A pale stripe behind each mark, and its name above the plot, on above off."""
    for (fix, state), place in places.items():
        colour = styles[fix].colour
        dash = (0, (1.0, 0.5)) if state == "off" else "-"
        axes.axvline(place, color=colour, alpha=0.2, lw=4.5, ls=dash, zorder=0.5)
        across = float(axes.transAxes.inverted().transform(axes.transData.transform((place, 0)))[0])
        align = "left" if across < 0.3 else "right" if across > 0.7 else "center"
        row = 0.17 if state == "on" else 0.05
        axes.annotate(
            f"{clipped(fix, 22)} {state}: {place:.4g}", (place, 1), xycoords=("data", "axes fraction"),
            xytext=({"left": -3, "right": 3, "center": 0}[align], 72 * row), textcoords="offset points",
            ha=align, va="bottom", color=colour, fontsize=7, annotation_clip=False,
        )  # fmt: skip


def _limits(responses: Sequence[Response]) -> tuple[float, float]:
    """The span of the means, and of the intervals up to three times that: two seeds give endless ones."""
    means = np.array([r.mean for r in responses], dtype=float)
    ends = np.array([end for r in responses for end in (r.ci or (r.mean, r.mean))], dtype=float)
    spare = 3 * np.ptp(means) or np.inf
    low, high = max(ends.min(), means.min() - spare), min(ends.max(), means.max() + spare)
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)
