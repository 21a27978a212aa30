"""Captions of the figures of curves: what is drawn, over what it is a mean, and what is left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ablate.assess import Assessment
from ablate.report.arms_plot import named_arms
from ablate.report.curves import MOST_POINTS, Curves
from ablate.report.curves_plot import events, panel_arms
from ablate.report.labels import step_label
from ablate.report.text import plural


def panels(found: Assessment, curves: Curves, metric: str, twin: tuple[str, str | None] | None) -> str:
    """Of a metric that can't be compared, with its counterpart."""
    about = found.plan.target.declaration.metrics[metric]
    shown, arms = len(panel_arms(found.plan)), len(found.plan.arms)
    whole = not found.plan.layout.fraction
    few = (
        f", for {shown} of {arms} arms" + (" (the ends, each fix alone, each left out)" if whole else "") if shown < arms else ""
    )
    parts = [f"{metric}{f' and, below it, {twin[0]}' if twin else ''}: a panel an arm{few}, the others in grey."]
    parts += ["Dashed: the arm's own chance level, mean over seeds."] if about.chance else []
    return " ".join([*parts, *_events(found, curves, panel_arms(found.plan).values()), _smoothing(found, curves, [metric])])


def others(found: Assessment, curves: Curves, metrics: Sequence[str]) -> str:
    """Of the study's other curves."""
    declared = found.plan.target.declaration.metrics
    doubtful = [name for name in metrics if name in declared and declared[name].incomparable]
    note = f" Not comparable across arms: {', '.join(doubtful)}." if doubtful else ""
    rest = len(found.plan.arms) > len(named_arms(found.plan, found.verdict.ranking or found.plan.fixes))
    grey = " The other arms are grey." if rest else ""
    return f"Mean over {plural(found.plan.seeds, 'seed')}{_windows(found, curves, metrics)}.{grey}{note}"


def probes(found: Assessment, curves: Curves, rows: dict[str, tuple[str, ...]]) -> str:
    """Of the probes."""
    metrics = [name for names in rows.values() for name in names]
    said = f"A row a probe, a column an arm: mean over seeds with its 95 % interval{_windows(found, curves, metrics)}."
    return " ".join([said, "A row has one scale.", *_events(found, curves, found.plan.arm_ids())])


def _events(found: Assessment, curves: Curves, cells: Collection[str]) -> list[str]:
    """`Vertical line: bank starts, at forward 50 to 53.`"""
    said = []
    for metric, text in events(found.plan).items():
        at = sorted(place for cell in cells if (place := curves.start(cell, metric)) is not None)
        if at:
            where = f"{at[0]:g}" if at[0] == at[-1] else f"{at[0]:g} to {at[-1]:g}"
            said.append(f"Vertical line: {text}, at {step_label(found.plan)} {where}.")
    return said


def _smoothing(found: Assessment, curves: Curves, metrics: Sequence[str]) -> str:
    return f"Line and band: mean over seeds and its 95 % interval{_windows(found, curves, metrics)}."


def _windows(found: Assessment, curves: Curves, metrics: Sequence[str]) -> str:
    sizes = sorted({curves.window(name) for name in metrics} - {1})
    if not sizes:
        return ""
    steps = f"{' or '.join(map(str, sizes))} {step_label(found.plan)}s"
    return f"; where there are more than {MOST_POINTS} points, of means over {steps}"
