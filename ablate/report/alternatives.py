"""Alternative texts: what each figure shows, in words and numbers, for those who can't see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ablate.assess import Assessment
from ablate.report.contexts_plot import judged
from ablate.report.curves import Curves
from ablate.report.curves_plot import panel_arms
from ablate.report.interactions_plot import said, shown_pairs
from ablate.report.pairs_plot import clearly, seed_pairs
from ablate.report.sweeps_plot import shown_sweeps
from ablate.report.symptoms_plot import Strip
from ablate.report.text import number, point
from ablate.report.toggles_plot import shown_toggles


def _list(what: str, parts: Iterable[str]) -> str:
    return f"{what}: {'; '.join(parts)}."


def panels(found: Assessment, curves: Curves, metric: str) -> str:
    """Of a metric that can't be compared: where each arm's curve begins and ends."""
    return _list(f"Curves of {metric}, a panel an arm", _ends(curves, metric, panel_arms(found.plan)))


def others(found: Assessment, curves: Curves, metrics: Sequence[str]) -> str:
    """Of the other curves: where all off and all on end, or the first arms where there are no such."""
    ends = {found.plan.cells[cell].label: cell for arm, cell in found.plan.arms.items() if len(arm) in (0, len(found.plan.fixes))}
    return " ".join(_list(f"Curves of {metric}", _ends(curves, metric, ends or panel_arms(found.plan))) for metric in metrics)


def _ends(curves: Curves, metric: str, arms: dict[str, str]) -> Iterable[str]:
    for label, cell in arms.items():
        if band := curves.band(cell, metric):
            yield f"{label} from {number(float(band.mean[0]))} to {number(float(band.mean[-1]))}"


def probes(rows: dict[str, tuple[str, ...]]) -> str:
    """Of the probes: which."""
    return _list("Probes over training, a row each", (f"{title} ({', '.join(metrics)})" for title, metrics in rows.items()))


def trajectory(found: Assessment) -> str:
    """Of effects as training goes on: first and last."""
    series = found.trajectory.items()
    return _list("Effects as training goes on", (f"{n} from {point(p[0][1])} to {point(p[-1][1])}" for n, p in series))


def looks(found: Assessment) -> str:
    """Of the looks: each fix's effects, one after the other."""
    taken = [look.verdict.fixes for look in found.stage.taken if look.verdict.fixes]
    return _list("Effects look by look", (f"{n} {', '.join(point(f[n].effect) for f in taken)}" for n in found.verdict.ranking))


def pairs(found: Assessment) -> str:
    """Of paired seeds: how many gain by each fix."""
    sign = found.plan.study.outcome.sign
    return _list("Paired seeds, off to on", (f"{name}: {clearly(y, sign)}" for name, y in seed_pairs(found).items()))


def interactions(found: Assessment) -> str:
    """Of interactions: each pair's."""
    return _list("Interactions", (f"{a} × {b}: {said(pair)}" for (a, b), pair in shown_pairs(found).items()))


def sweeps(found: Assessment) -> str:
    """Of sweeps: the outcome at the ends of each, and the best value."""
    parts = []
    for name in shown_sweeps(found):
        seen = [(r.value, r.mean) for r in found.sweeps[name] if r.mean is not None]
        (first, low), (last, high) = seen[0], seen[-1]
        parts.append(f"{name}: {number(low)} at {first:g}, {number(high)} at {last:g}, {found.knobs[name].sentence}")
    return _list("The outcome against swept knobs", parts)


def toggles(found: Assessment) -> str:
    """Of fixes at other values of a knob: the sentence on each."""
    return _list("Effects of fixes at the values of a knob", (toggle.sentence for _, toggle in shown_toggles(found)))


def contexts(found: Assessment) -> str:
    """Of contexts: each fix's effect in each."""
    names = found.verdict.ranking or found.plan.fixes
    there = judged(found)
    return _list(
        "Effects across contexts",
        (f"{fix}: {', '.join(f'{point(v.fixes[fix].effect)} in {name}' for name, v in there.items())}" for fix in names),
    )


def symptoms(rows: Sequence[Strip]) -> str:
    """Of symptoms: which lie where chance allows, and which don't."""
    away = [row.label for row in rows if not row.consistent]
    inside = f"{len(rows) - len(away)} of {len(rows)} observed figures lie where chance allows"
    return f"{inside}; outside: {', '.join(away)}." if away else f"{inside}."
