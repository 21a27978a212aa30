"""Error rates and power by rule, over seeds and over families of noise."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ablate.report.palette import HUES, INK
from ablate.report.style import TEXT_WIDTH, look, new_figure
from benchmarks.calibrate.measures import Measured, Rate
from benchmarks.calibrate.plan import SEEDS, Results
from benchmarks.calibrate.rules import RULES
from benchmarks.calibrate.table import OPTUNA

#: Where a family's name is broken into two lines.
BREAKS = re.compile(r"(?<=,) |(?<=-)(?=tailed)| (?=diverge)")
MARKERS = ("o", "s", "p", "^", "D", "P", "v", "X")
#: Where the axis of false finds, a logarithm, ends; what is below is drawn there.
LEAST = 0.5
STYLES = {rule: (HUES[index], MARKERS[index]) for index, rule in enumerate((*RULES, *OPTUNA))}


def draw(results: Results, path: Path) -> None:
    """Write the figure as PNG."""
    with look():
        figure = new_figure(TEXT_WIDTH, 5.2)
        axes = figure.subplots(2, 2, sharey="row", width_ratios=(1, 1.25))
        _panel(axes[0][0], results, "null", lambda each: each.false, along="seeds")
        _panel(axes[0][1], results, "null", lambda each: each.false, along="family")
        _panel(axes[1][0], results, "one", lambda each: each.found, along="seeds")
        _panel(axes[1][1], results, "one", lambda each: each.found, along="family")
        _dress(axes, results.families)
        handles, labels = axes[0][1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=4, columnspacing=1.6, handletextpad=0.2)
        figure.subplots_adjust(left=0.085, right=0.99, top=0.93, bottom=0.2, hspace=0.42, wspace=0.06)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=200, metadata={"Software": None}, facecolor="white")


def _panel(axis: Any, results: Results, scenario: str, pick: Callable[[Measured], Rate | None], along: str) -> None:
    """Points a rule: over seeds with equal noise, or over families at 5 seeds."""
    floor = LEAST if scenario == "null" else 0.0
    held = {"family": "equal"} if along == "seeds" else {"seeds": 5}
    for index, (rule, (colour, marker)) in enumerate(STYLES.items()):
        found = {getattr(each, along): pick(each) for each in results.of(rule=rule, scenario=scenario, **held)}
        if along == "seeds" and rule in OPTUNA:
            continue
        places = [float(n) if along == "seeds" else results.families.index(n) + (index - 3.5) * 0.1 for n in found]
        heights = [max(100 * rate.value if rate else 0.0, floor) for rate in found.values()]
        line = "-" if along == "seeds" else "none"
        axis.plot(
            places, heights, color=colour, marker=marker, markersize=4.2, linestyle=line, label=rule, clip_on=False, zorder=3
        )


def _dress(axes: Any, families: Sequence[str]) -> None:
    titles = (
        "Nothing matters, equal noise",
        "Nothing matters, 5 seeds",
        "One effect of a run's noise, equal noise",
        "One effect of a run's noise, 5 seeds",
    )
    for axis, title in zip(axes.flat, titles, strict=True):
        axis.set_title(title, loc="left")
    for row in axes:
        row[0].set_xticks(SEEDS)
        row[0].set_xlabel("seeds")
        row[1].set_xticks(
            range(len(families)),
            [BREAKS.sub("\n", name) for name in families],
        )
        row[1].tick_params(axis="x", length=0)
        for edge in range(1, len(families)):
            row[1].axvline(edge - 0.5, color="#E4E7EB", linewidth=0.6, zorder=0)
    for axis in axes[0]:
        axis.set_yscale("log")
        axis.set_ylim(LEAST, 105)
        axis.set_yticks((0.5, 1, 2, 5, 10, 20, 50, 100), ("0.5", "1", "2", "5", "10", "20", "50", "100"))
        axis.minorticks_off()
        axis.axhline(5, color=INK, linewidth=0.7, linestyle=(0, (3, 3)), zorder=1)
    axes[0][0].set_ylabel("studies that call a fix, %")
    axes[1][0].set_ylabel("studies that find it, %")
    axes[1][0].set_ylim(0, 103)
