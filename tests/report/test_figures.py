"""Every figure of several studies, as matplotlib has it: axes have labels with units, and no text is cut or lies on another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ablate.assess import Assessment
from ablate.design import Plan
from ablate.records import Records
from ablate.report.curves import Curves
from ablate.report.gallery import drawings
from ablate.report.style import look
from tests.report.synthetic import THREE_FIXES, add_results, planned
from tests.report.test_symptoms_page import SYMPTOMS

FIXES = THREE_FIXES["fixes"]
LONG = [f"{word}_{'x' * 30}_the_name_of_a_fix_{'y' * 20}"[:60] for word in ("alpha", "beta", "gamma")]
#: What is counted needs no other unit.
COUNTED = {"step", "forward", "paired seeds"}


def three() -> Plan:
    contexts = {"wide_model": {"hidden_size": 128}, "d": {"x": 1}}
    sweeps = {**THREE_FIXES["sweeps"], "turned": {**THREE_FIXES["sweeps"]["temperature"], "toggle": ["memory_bank"]}}
    return planned(contexts=contexts, symptoms=SYMPTOMS, sweeps=sweeps, design={"seeds": 3})


def long_names() -> Plan:
    return planned(fixes=dict(zip(LONG, FIXES.values(), strict=True)), contexts={"c" * 60: {"x": 1}}, design={"seeds": 2})


def twelve() -> Plan:
    more = {f"fix_number_{i}": {"off": {f"p{i}": 0}, "on": {f"p{i}": 1}} for i in range(9)}
    return planned(fixes={**FIXES, **more}, design={"kind": "one_at_a_time", "seeds": 2})


def one() -> Plan:
    return planned(fixes={"memory_bank": FIXES["memory_bank"]}, sweeps={}, design={"seeds": 2})


PLANS = {plan.__name__: plan for plan in (three, long_names, twelve, one)}


@pytest.fixture(scope="module", params=PLANS)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Name → figure of one of the studies; the forest has a test of its own."""
    out: Path = tmp_path_factory.mktemp(request.param)
    found: Assessment = add_results(PLANS[request.param](), out)
    with look():
        figures = {name: figure for figure, name, *_ in drawings(found, Curves(found.plan, found.records, Records(out)))}
        for figure in figures.values():
            figure.draw_without_rendering()
    return {name: figure for name, figure in figures.items() if name != "forest"}


def test_every_axis_says_what_it_shows_and_in_which_unit(drawn: dict[str, Any]) -> None:
    for name, figure in drawn.items():
        if name == "symptoms":  # each of its rows has a scale of its own, and its ends in numbers beside it
            continue
        for axes in figure.axes:
            for which, label in (("x", _label(figure, axes, "x")), ("y", _label(figure, axes, "y"))):
                assert label is not None, (name, which, axes.get_title())


def _label(figure: Any, axes: Any, which: str) -> str | None:
    """The label that holds for an axis: its own, or that of a panel in its row or column; words as ticks need none."""
    for other in sorted((other for other in figure.axes if _shares(other, axes, which)), key=lambda other: other is not axes):
        axis = other.yaxis if which == "y" else other.xaxis
        ticks = [text.get_text() for text in axis.get_ticklabels() if text.get_text()]
        label = axis.get_label_text().replace("\n", " ")
        if label in COUNTED or re.search(r"\(\S.*\)$", label) or (ticks and not any(re.search(r"\d", tick) for tick in ticks)):
            return str(label)
    return None


def _shares(other: Any, axes: Any, which: str) -> bool:
    """Whether two panels stand in one row (one column), with the same limits."""
    mine, its = axes.get_position(), other.get_position()
    if which == "y":
        return abs(mine.y0 - its.y0) < 1e-6 and axes.get_ylim() == other.get_ylim()
    return abs(mine.x0 - its.x0) < 1e-6 and axes.get_xlim() == other.get_xlim()


def test_no_text_is_cut_or_lies_on_another(drawn: dict[str, Any]) -> None:
    wrong = []
    for name, figure in drawn.items():
        texts = list(_texts(figure))
        width, height = figure.bbox.width, figure.bbox.height
        for text, box in texts:
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
                wrong.append((name, text, "cut"))
        for (one, first), (other, second) in combinations(texts, 2):
            across, up = _overlap(first, second)
            if across > 1.0 and up > 1.5:
                wrong.append((name, one, other))
    assert wrong == []


def _texts(figure: Any) -> Iterator[tuple[str, Any]]:
    """Every text that shows, with its box in pixels."""
    from matplotlib.text import Text

    renderer, axes = figure.canvas.get_renderer(), [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = {label for axis in axes for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)}
    shown = [text for text in figure.findobj(Text) if text not in ticks] + [label for axis in axes for label in _ticks(axis)]
    for text in shown:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), Text.get_window_extent(text, renderer)  # without the arrow that leads to it


def _ticks(axis: Any) -> list[Any]:
    """The tick labels that are drawn: those within the limits."""
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    return [tick.label1 for tick in axis.get_major_ticks() if low - margin <= tick.get_loc() <= high + margin]


def _overlap(first: Any, second: Any) -> tuple[float, float]:
    """By how many pixels two boxes overlap across and up."""
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    return across, min(first.y1, second.y1) - max(first.y0, second.y0)
