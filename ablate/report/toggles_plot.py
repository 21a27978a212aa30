"""The figure of fixes against knobs: each fix's effect at the swept values at which it was turned off and on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablate.analysis.toggles import Toggle, TogglePoint
from ablate.assess import Assessment
from ablate.report.style import FAINT, INK, TEXT_WIDTH, WORDS, grid, new_figure
from ablate.report.sweeps_plot import value_axis
from ablate.report.text import clipped

CAPTION = (
    "The effect of turning a fix on at each swept value, with its 95 % interval from the noise of all of these (above 0 is "
    "better); the shaded strip holds effects too small to matter. Colours are the verdict's, adjusted over the values; hollow: "
    "can't be told."
)
#: Panels beside each other.
COLUMNS = 3


def shown_toggles(found: Assessment) -> list[tuple[str, Toggle]]:
    """(sweep, fix against its knob) of the fixes that the study toggles, as far as anything is known of them."""
    wanted = ((name, knob.toggles.get(fix)) for name, knob in found.knobs.items() for fix in found.plan.study.sweeps[name].toggle)
    return [(name, toggle) for name, toggle in wanted if toggle and toggle.points]


def toggles(found: Assessment) -> Any:
    """A panel a fix and knob."""
    shown = shown_toggles(found)
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    width = {1: 3.4, 2: 5.2}.get(columns, TEXT_WIDTH)
    figure = new_figure(width, rows * 1.25 + (rows - 1) * 0.75 + 0.72)
    all_axes = grid(figure, rows, columns, len(shown), (0.56, 0.1, 0.42, 0.3), (0.5, 0.75))
    for axes, (name, toggle) in zip(all_axes, shown, strict=True):
        _panel(axes, found, name, toggle)
    all_axes[0].set_ylabel(clipped(f"effect on {found.plan.study.outcome.metric}", 32))
    return figure


def _panel(axes: Any, found: Assessment, name: str, toggle: Toggle) -> None:
    minimum = found.plan.study.outcome.minimum_effect
    value_axis(axes, found, name)
    if minimum:
        axes.axhspan(-minimum, minimum, color=FAINT, alpha=0.35, lw=0, zorder=0)
    axes.axhline(0, color="#7B8794", lw=0.6, zorder=1)
    axes.plot([p.value for p in toggle.points], [p.effect.effect for p in toggle.points], color=FAINT, lw=1, zorder=2)
    for point in toggle.points:
        _mark(axes, point)
    axes.set_ylim(*_limits(toggle, minimum))
    axes.set_title(clipped(toggle.fix, 30), color=INK, loc="left")
    axes.set_xlabel(clipped(toggle.param, 30))


def _mark(axes: Any, point: TogglePoint) -> None:
    colour = WORDS[point.word]
    axes.plot([point.value] * 2, point.effect.ci(), color=colour, lw=1.1, zorder=3)
    face = "white" if point.word == "inconclusive" else colour
    axes.plot([point.value], [point.effect.effect], "o", ms=4.5, mfc=face, mec=colour, zorder=4)


def _limits(toggle: Toggle, minimum: float) -> tuple[float, float]:
    """All effects, 0 and the strip; intervals as far as three times the span of these."""
    held = [0.0, minimum, -minimum, *(point.effect.effect for point in toggle.points)]
    ends = [end for point in toggle.points for end in point.effect.ci()]
    spare = 3 * float(np.ptp(held)) or np.inf
    low, high = max(min(*ends, *held), min(held) - spare), min(max(*ends, *held), max(held) + spare)
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)
