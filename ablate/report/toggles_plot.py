"""The figure of fixes against knobs: each fix's effect at the swept values at which it was turned off and on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablate.analysis.toggles import Toggle
from ablate.assess import Assessment
from ablate.report.labels import effect_label, folded, param_label
from ablate.report.palette import fix_styles
from ablate.report.strokes import columns_of, dot, minimum_band, titled, upright
from ablate.report.style import TEXT_WIDTH, grid, new_figure
from ablate.report.sweeps_plot import value_axis

CAPTION = (
    "The effect of turning a fix on at each swept value, with its 95 % interval from the noise of all of these (above 0 is "
    "better); the shaded strip holds effects too small to matter. Hollow: can't be told (adjusted over the values)."
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
    columns = columns_of(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    figure = new_figure(min(TEXT_WIDTH, 0.76 + 2.4 * columns), rows * 1.25 + (rows - 1) * 0.78 + 0.72)
    all_axes = grid(figure, rows, columns, len(shown), (0.8, 0.1, 0.44, 0.26), (0.5, 0.78))
    for index, (axes, (name, toggle)) in enumerate(zip(all_axes, shown, strict=True)):
        _panel(axes, found, name, toggle)
        if index % columns == 0:
            axes.set_ylabel(folded(effect_label(found.plan), 26, 2), fontsize=7.5)
    return figure


def _panel(axes: Any, found: Assessment, name: str, toggle: Toggle) -> None:
    minimum, style = found.plan.study.outcome.minimum_effect, fix_styles(found.plan.fixes)[toggle.fix]
    value_axis(axes, found, name)
    axes.set_ylim(*_limits(toggle, minimum))
    axes.locator_params(axis="y", nbins=5)
    minimum_band(axes, minimum, across=False)
    axes.plot([p.value for p in toggle.points], [p.effect.effect for p in toggle.points], color=style.colour, lw=0.7, zorder=2)
    for each in toggle.points:
        upright(axes, each.value, each.effect.ci(), axes.get_ylim(), color=style.colour)
        dot(axes, each.value, each.effect.effect, style, hollow=each.word == "inconclusive")
    titled(axes, toggle.fix, style)
    axes.set_xlabel(folded(param_label(found.plan, toggle.param), 36, 2), labelpad=2)


def _limits(toggle: Toggle, minimum: float) -> tuple[float, float]:
    """All effects, 0 and the strip; intervals as far as three times the span of these."""
    held = [0.0, minimum, -minimum, *(point.effect.effect for point in toggle.points)]
    ends = [end for point in toggle.points for end in point.effect.ci()]
    spare = 3 * float(np.ptp(held)) or np.inf
    low, high = max(min(*ends, *held), min(held) - spare), min(max(*ends, *held), max(held) + spare)
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)
