"""Which figures a study gets, each with its caption and what it says to those who can't see it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.analysis.symptoms import SymptomResult
from ablate.assess import Assessment
from ablate.report import alternatives, captions
from ablate.report.arms_plot import arms
from ablate.report.contexts_plot import CAPTION as CONTEXTS
from ablate.report.contexts_plot import contexts, judged
from ablate.report.curves import Curves
from ablate.report.curves_plot import panels
from ablate.report.forest_plot import forest, forest_alt, forest_caption
from ablate.report.interactions_plot import CAPTION as INTERACTIONS
from ablate.report.interactions_plot import interactions, shown_pairs
from ablate.report.looks_plot import LOOKS, looks
from ablate.report.pairs_plot import CAPTION as PAIRS
from ablate.report.pairs_plot import pairs, seed_pairs
from ablate.report.probes_plot import probes, shown_probes
from ablate.report.profile_plot import profile, profile_alt, profile_caption
from ablate.report.style import TEXT_WIDTH, look, save
from ablate.report.sweeps_plot import caption as sweeps_caption
from ablate.report.sweeps_plot import shown_sweeps, sweeps
from ablate.report.symptoms_plot import CAPTION, ranges, strips
from ablate.report.toggles_plot import CAPTION as TOGGLES
from ablate.report.toggles_plot import shown_toggles, toggles
from ablate.report.trajectory_plot import CAPTION as TRAJECTORY
from ablate.report.trajectory_plot import trajectory
from ablate.report.waterfall_plot import shares, waterfall, waterfall_alt, waterfall_caption
from ablate.target import Metric

#: Width of the forest plot where the waterfall stands beside it, inches.
HALF = 3.45
#: A drawing with its name, group, caption and alternative text.
Drawn = tuple[Any, str, str, str, str]


@dataclass(frozen=True)
class Figure:
    """A figure that was written.

    Attributes:
        name: of its files, without the suffix.
        group: where it belongs: `forest`, `waterfall`, `symptoms`, `trajectory`, `pairs`, `interactions`, `contexts`, `sweeps`,
            `toggles`, `looks`, `others`, `probes`, `profile`, or `curve:METRIC`.
        caption: what is drawn, bands and smoothing included.
        width: inches.
        alt: what it shows, for those who can't see it.
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
            _saved(folder, drawn, Figure(name, group, caption, float(drawn.get_size_inches()[0]), alt))
            for drawn, name, group, caption, alt in drawings(found, curves)
        ]


def draw_symptoms(results: Sequence[SymptomResult], folder: Path) -> Figure | None:
    """Draw and save the figure of symptoms; None where none has a range that chance allows."""
    rows = strips(results)
    if not rows:
        return None
    with look():
        figure = Figure("symptoms", "symptoms", CAPTION, TEXT_WIDTH, alternatives.symptoms(rows))
        return _saved(folder, ranges(rows, TEXT_WIDTH), figure)


def _saved(folder: Path, drawn: Any, figure: Figure) -> Figure:
    save(drawn, folder, figure.name)
    return figure


def drawings(found: Assessment, curves: Curves) -> Iterator[Drawn]:
    """Every figure that the study has data for, one at a time."""
    if found.verdict.fixes:
        beside = shares(found) is not None
        yield forest(found, HALF if beside else TEXT_WIDTH), "forest", "forest", forest_caption(found), forest_alt(found)
        if beside:
            yield waterfall(found, TEXT_WIDTH - HALF), "waterfall", "waterfall", waterfall_caption(found), waterfall_alt(found)
    yield from _of_curves(found, curves)
    yield from _of_fixes(found)
    yield from _of_knobs(found)
    if found.plan.contexts and judged(found):
        yield contexts(found), "contexts", "contexts", CONTEXTS, alternatives.contexts(found)
    if rows := strips(found.symptoms):
        yield ranges(rows, TEXT_WIDTH), "symptoms", "symptoms", CAPTION, alternatives.symptoms(rows)
    if found.profile:
        yield profile(found), "profile", "profile", profile_caption(found), profile_alt(found)


def _of_curves(found: Assessment, curves: Curves) -> Iterator[Drawn]:
    for metric, about in cautioned(found).items():
        yield from _cautioned(found, curves, metric, about)
    if others := _others(found, curves):
        said, alt = captions.others(found, curves, others), alternatives.others(found, curves, others)
        yield arms(found.plan, curves, others, found.verdict.ranking or found.plan.fixes), "curves", "others", said, alt
    if rows := shown_probes(found, curves):
        yield probes(found, curves), "probes", "probes", captions.probes(found, curves, rows), alternatives.probes(rows)


def _of_fixes(found: Assessment) -> Iterator[Drawn]:
    if len(found.stage.taken) > 1 and found.verdict.fixes:
        yield looks(found), "looks", "looks", LOOKS, alternatives.looks(found)
    if max((len(points) for points in found.trajectory.values()), default=0) >= 2:
        yield trajectory(found), "trajectory", "trajectory", TRAJECTORY, alternatives.trajectory(found)
    if found.verdict.fixes and seed_pairs(found):
        yield pairs(found), "pairs", "pairs", PAIRS, alternatives.pairs(found)
    if found.verdict.fixes and shown_pairs(found):
        yield interactions(found), "interactions", "interactions", INTERACTIONS, alternatives.interactions(found)


def _of_knobs(found: Assessment) -> Iterator[Drawn]:
    if shown_sweeps(found):
        yield sweeps(found), "sweeps", "sweeps", sweeps_caption(found), alternatives.sweeps(found)
    if shown_toggles(found):
        yield toggles(found), "toggles", "toggles", TOGGLES, alternatives.toggles(found)


def cautioned(found: Assessment) -> dict[str, Metric]:
    """The curves that can't be compared across arms but have a chance level or a twin to read them by."""
    declared = found.plan.target.declaration.metrics
    known = {name: declared[name] for name in found.plan.study.curves if name in declared}
    return {name: about for name, about in known.items() if about.incomparable and (about.chance or about.twin)}


def _logged(found: Assessment, curves: Curves, metric: str) -> bool:
    return any(curves.band(cell, metric) for cell in found.plan.arm_ids())


def _cautioned(found: Assessment, curves: Curves, metric: str, about: Metric) -> Iterator[Drawn]:
    if not _logged(found, curves, metric):
        return
    twin = None
    if about.twin and _logged(found, curves, about.twin):
        twin = (about.twin, found.plan.target.declaration.metrics.get(about.twin, Metric("")).chance)
    said, alt = captions.panels(found, curves, metric, twin), alternatives.panels(found, curves, metric)
    yield panels(found.plan, curves, metric, about.chance, twin), _file(metric), f"curve:{metric}", said, alt


def _others(found: Assessment, curves: Curves) -> list[str]:
    """The study's curves that are no probes and are not drawn a panel an arm."""
    declared = found.plan.target.declaration.metrics
    shown = set(cautioned(found)) | {about.twin for about in cautioned(found).values()}
    shown |= {name for name, about in declared.items() if about.probe}
    return [name for name in found.plan.study.curves if name not in shown and _logged(found, curves, name)]


def _file(metric: str) -> str:
    """A metric's name as a file's: its own where nothing but slashes is replaced, else with a hash that tells it from others."""
    name = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in metric.replace("/", "-"))[:80]
    same = name == metric.replace("/", "-").lower() and "-" not in metric  # a system may take A and a for one file
    return f"curve-{name}" + ("" if same else f"-{hashlib.sha256(metric.encode()).hexdigest()[:6]}")
