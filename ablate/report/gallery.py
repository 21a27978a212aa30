"""Which figures a study gets, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.analysis.symptoms import SymptomResult
from ablate.assess import Assessment
from ablate.report.contexts_plot import CAPTION as CONTEXTS
from ablate.report.contexts_plot import contexts, judged
from ablate.report.curves import MOST_POINTS, Curves
from ablate.report.curves_plot import compact, panel_arms, panels
from ablate.report.effects_plot import trajectory
from ablate.report.forest_plot import forest, forest_alt, forest_caption
from ablate.report.looks_plot import LOOKS, looks
from ablate.report.style import CAUTION, TEXT_WIDTH, look, save
from ablate.report.sweeps_plot import shown_sweeps, sweeps
from ablate.report.symptoms_plot import CAPTION, ranges, strips
from ablate.report.text import plural
from ablate.report.toggles_plot import CAPTION as TOGGLES
from ablate.report.toggles_plot import shown_toggles, toggles
from ablate.report.waterfall_plot import shares, waterfall, waterfall_alt, waterfall_caption
from ablate.target import Metric

#: Width of the forest plot where the waterfall stands beside it, inches.
HALF = 3.45


@dataclass(frozen=True)
class Figure:
    """A figure that was written.

    Attributes:
        name: of its files, without the suffix.
        group: where it belongs: `forest`, `symptoms`, `trajectory`, `contexts`, `sweeps`, `looks`, `others`, or `curve:METRIC`.
        caption: what is drawn, bands and smoothing included.
        width: inches.
        alt: what it shows, for who can't see it; the caption where it is empty.
    """

    name: str
    group: str
    caption: str
    width: float
    alt: str = ""


def draw_all(found: Assessment, curves: Curves, folder: Path) -> list[Figure]:
    """Draw and save every figure that the study has data for; figures of an earlier report are removed."""
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        old.unlink()
    with look():
        return [
            _saved(folder, drawn, Figure(name, group, caption, float(drawn.get_size_inches()[0]), _alt(found, group)))
            for drawn, name, group, caption in _drawn(found, curves)
        ]


def _alt(found: Assessment, group: str) -> str:
    """What a figure shows in words; empty where its caption says it."""
    said = {"forest": forest_alt, "waterfall": waterfall_alt}.get(group)
    return said(found) if said else ""


def draw_symptoms(results: Sequence[SymptomResult], folder: Path) -> Figure | None:
    """Draw and save the figure of symptoms; None where none has a range that chance allows."""
    rows = strips(results)
    if not rows:
        return None
    with look():
        return _saved(folder, ranges(rows, TEXT_WIDTH), Figure("symptoms", "symptoms", CAPTION, TEXT_WIDTH))


def _saved(folder: Path, drawn: Any, figure: Figure) -> Figure:
    save(drawn, folder, figure.name)
    return figure


def _drawn(found: Assessment, curves: Curves) -> Any:
    """(figure, name, group, caption), one at a time."""
    if found.verdict.fixes:
        beside = found.verdict.ends is not None and shares(found) is not None
        yield forest(found, HALF if beside else TEXT_WIDTH), "forest", "forest", forest_caption(found)
        if beside:
            yield waterfall(found, TEXT_WIDTH - HALF), "waterfall", "waterfall", waterfall_caption(found)
    if rows := strips(found.symptoms):
        yield ranges(rows, TEXT_WIDTH), "symptoms", "symptoms", CAPTION
    declared = found.plan.target.declaration.metrics
    for metric, about in cautioned(found).items():
        yield from _cautioned(found, curves, metric, about)
    others = {name: declared[name].chance if name in declared else None for name in _others(found, curves)}
    if others:
        yield (
            compact(found.plan, curves, others),
            "curves",
            "others",
            _others_caption(found, curves, list(others)),
        )
    if shown_sweeps(found):
        yield sweeps(found), "sweeps", "sweeps", SWEEPS
    if shown_toggles(found):
        yield toggles(found), "toggles", "toggles", TOGGLES
    if len(found.stage.taken) > 1 and found.verdict.fixes:
        yield looks(found), "looks", "looks", LOOKS
    if max((len(points) for points in found.trajectory.values()), default=0) >= 2:
        yield trajectory(found), "trajectory", "trajectory", TRAJECTORY
    if found.plan.contexts and judged(found):
        yield contexts(found), "contexts", "contexts", CONTEXTS


def cautioned(found: Assessment) -> dict[str, Metric]:
    """The curves that can't be compared across arms but have a chance level or a twin to read them by."""
    declared = found.plan.target.declaration.metrics
    known = {name: declared[name] for name in found.plan.study.curves if name in declared}
    return {name: about for name, about in known.items() if about.incomparable and (about.chance or about.twin)}


def _logged(found: Assessment, curves: Curves, metric: str) -> bool:
    return any(curves.band(cell, metric) for cell in found.plan.arm_ids())


def _cautioned(found: Assessment, curves: Curves, metric: str, about: Metric) -> Any:
    if not _logged(found, curves, metric):
        return
    chance = f" Dashed: the arm's own chance level ({about.chance}, mean over seeds)." if about.chance else ""
    text = f"{metric}: {_panels(found)}, the others in grey.{chance} {_smoothing(curves, metric)}"
    name = _file(metric)
    yield (
        panels(found.plan, curves, metric, about.chance, CAUTION if about.incomparable else "#0063A0"),
        name,
        f"curve:{metric}",
        text,
    )
    if about.twin and _logged(found, curves, about.twin):
        text = f"{about.twin}: the counterpart that can be compared. {_smoothing(curves, about.twin)}"
        twin = found.plan.target.declaration.metrics.get(about.twin, Metric(""))
        yield panels(found.plan, curves, about.twin, twin.chance), _file(about.twin), f"curve:{metric}", text


def _panels(found: Assessment) -> str:
    shown, arms = len(panel_arms(found.plan)), len(found.plan.arms)
    whole = not found.plan.layout.fraction
    few = f" for {shown} of {arms} arms" + (" (the ends, each fix alone, each left out)" if whole else "")
    return f"a panel an arm{few if shown < arms else ''}"


def _others(found: Assessment, curves: Curves) -> list[str]:
    shown = set(cautioned(found)) | {about.twin for about in cautioned(found).values()}
    return [name for name in found.plan.study.curves if name not in shown and _logged(found, curves, name)]


def _smoothing(curves: Curves, metric: str) -> str:
    window = curves.window(metric)
    over = f"means over windows of {window} steps, then " if window > 1 else ""
    return f"Line and band: {over}mean over seeds and its 95 % interval."


def _others_caption(found: Assessment, curves: Curves, metrics: list[str]) -> str:
    windowed = sorted({curves.window(name) for name in metrics} - {1})
    over = f"; of more than {MOST_POINTS} steps, means over {' or '.join(map(str, windowed))} steps are drawn" if windowed else ""
    declared = found.plan.target.declaration.metrics
    doubtful = [name for name in metrics if name in declared and declared[name].incomparable]
    note = f" Not comparable across arms: {', '.join(doubtful)}." if doubtful else ""
    seeds = plural(found.plan.seeds, "seed")
    return f"The study's other curves: mean over {seeds}{over}. Arms not named in the key are grey.{note}"


def _file(metric: str) -> str:
    """A metric's name as a file's."""
    return "curve-" + "".join(char if char.isalnum() or char in "-_" else "-" for char in metric)


SWEEPS = (
    "The outcome against each swept knob: mean and 95 % interval, from the noise of all values and seeds of the sweep. Diamond: "
    "the best mean; filled: can't be told from it (multiple comparisons with the best, 95 %); hollow: shown to be worse. "
    "Vertical lines: what the fix that sets the knob means by off (dashed) and on (solid)."
)
TRAJECTORY = (
    "Main effect on the outcome as training goes on, with its 95 % interval at each step by itself; the "
    "shaded strip holds effects too small to matter. The verdict rests on the final outcome alone."
)
