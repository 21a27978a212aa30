"""Axis labels: what is drawn, with its unit as the target declares it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ablate.design import Plan
from ablate.report.text import clipped

#: Where a target declares no unit.
OWN = "own\N{NO-BREAK SPACE}unit"
#: What a unit of 1 means.
NONE = "no\N{NO-BREAK SPACE}unit"


def metric_unit(plan: Plan, metric: str) -> str:
    """A metric's unit, of one piece; seconds are known without a declaration."""
    declared = plan.target.declaration.metrics
    known = declared[metric].unit if metric in declared else "s" if metric == "seconds" else ""
    return known.replace(" ", "\N{NO-BREAK SPACE}") or OWN


def bracketed(plan: Plan, metric: str, gap: str = " ") -> str:
    """A metric's unit as it stands behind its name: ` (share)`; a pure number, whose unit is 1, is said to have none."""
    return _bracketed(metric_unit(plan, metric), gap)


def _bracketed(unit: str, gap: str = " ") -> str:
    return f"{gap}({NONE if unit == '1' else unit})"


def metric_label(plan: Plan, metric: str, width: int = 44) -> str:
    """`eval/region_top1 (share)`."""
    return clipped(metric, width) + bracketed(plan, metric)


def effect_label(plan: Plan, width: int = 30) -> str:
    """`effect on eval/region_top1 (share)`."""
    return f"effect on {metric_label(plan, plan.study.outcome.metric, width)}"


def step_label(plan: Plan) -> str:
    """What a step of the target's curves is: it counts, so it is its own unit."""
    return plan.target.declaration.step


def param_label(plan: Plan, param: str, width: int = 40) -> str:
    """`bank_warmup (forwards)`."""
    return clipped(param, width) + _bracketed(plan.target.declaration.units.get(param) or OWN)


def alone(fixes: Sequence[str], arm: str) -> str:
    """An arm as every figure and table calls it: that of one fix among several is `bank alone`."""
    return f"{arm} alone" if len(fixes) > 1 and arm in fixes else arm


def folded(label: str, width: int, lines: int = 3) -> str:
    """A label of at most so many lines of `width` characters, broken behind spaces and separators."""
    rows = [""]
    for part in re.findall(r"[^ /_+.-]*[ /_+.-]*", label):
        if len((rows[-1] + part).rstrip()) > width and rows[-1]:
            rows.append("")
        rows[-1] += part
    if len(rows) > lines:
        rows = [*rows[: lines - 1], clipped("".join(rows[lines - 1 :]), width)]
    return "\n".join(clipped(row.rstrip(), width) for row in rows)
