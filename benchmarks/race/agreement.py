"""Whether the two trained the same: losses forward by forward, final metrics, and the effects that come of them.

Rounding is all that may differ. Weights and activations in bf16 have 8 significant bits, and image-text cosines are multiplied
by 100, so that losses of the same weights differ in the third decimal; Adam's first steps have the size of the learning rate
whatever the gradient, and so turn the sign of a gradient near 0 into a difference of weights that later steps carry on. So: a
bound on each loss of the first optimizer step, where weights are equal; typical differences after that; and what the study is
for, the effects, within a quarter of the smallest effect it looks for. In float32 rounding is 65,536 times finer, and the same
training must agree in every forward.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.design import make_plan
from ablate.records import Records
from ablate.study import load_study, parse_value
from ablate.target import load_target
from benchmarks.race.processes import STUDY

Array = NDArray[np.float64]
LOSSES = ("region", "global")
OUTCOME = "eval/region_top1"


@dataclass(frozen=True)
class Trial:
    """What one (arm, seed) came to: each forward's losses, NaN where a forward had none, [forwards]; final metrics; seconds."""

    losses: Mapping[str, Array]
    metrics: Mapping[str, float]
    seconds: float


Trials = Mapping[tuple[str, int], Trial]


@dataclass(frozen=True)
class Check:
    """A difference and what it may be."""

    what: str
    greatest: float
    median: float
    bound: float
    of: str = "greatest"

    @property
    def holds(self) -> bool:
        return bool((self.greatest if self.of == "greatest" else self.median) <= self.bound)


def of_peer(folder: Path) -> Trials:
    """What `benchmarks/peer.py` left."""
    found = json.loads((folder / "peer.json").read_text(encoding="utf-8"))
    return {(each["arm"], each["seed"]): _trial(each) for each in found}


def _trial(left: Mapping[str, Any]) -> Trial:
    losses = {name: np.asarray(left["losses"][name]) for name in LOSSES}
    return Trial(losses, left["metrics"], left["seconds"])


def of_ours(folder: Path, seeds: int, settings: Sequence[str] = ()) -> Trials:
    """What `python -m ablate run` left."""
    study = load_study(folder / STUDY.name)
    params = {key: parse_value(value) for key, _, value in (text.partition("=") for text in settings)}
    plan = make_plan(study, load_target(study.target), params=params, seeds=seeds)
    records = Records(folder / "out")
    done = records.load()
    found = {}
    for run in plan.runs:
        forwards, curves = run.cell.params["forwards"], records.series(run.id)
        losses = {name: _by_forward(curves.logged(f"train/{name}_loss"), forwards) for name in LOSSES}
        found[run.cell.label, run.seed] = Trial(losses, done[run.id].metrics, done[run.id].seconds)
    return found


def _by_forward(logged: tuple[Array, Array] | None, forwards: int) -> Array:
    values = np.full(forwards, np.nan)
    if logged is not None:
        values[logged[0].astype(int)] = logged[1]
    return values


def rough(peer: Trials, ours: Trials, step: int, smallest: float) -> list[Check]:
    """The checks of trainings in bf16.

    Args:
        step: forwards an optimizer step.
        smallest: the smallest effect that the study looks for.
    """
    same_forwards(peer, ours)
    checks = []
    for name in LOSSES:
        apart = differences(peer, ours, name)
        checks.append(_check(f"{name} loss, first optimizer step", apart[:, :step], 0.02))
        checks.append(_check(f"{name} loss, all forwards", apart, 0.005, "median"))
    finals = np.array([abs(peer[key].metrics[OUTCOME] - ours[key].metrics[OUTCOME]) for key in peer])
    checks.append(_check(f"{OUTCOME} of a run", finals, 2 * smallest))
    theirs, mine = effects(peer), effects(ours)
    checks.append(_check("effect of a fix", np.array([abs(theirs[fix] - mine[fix]) for fix in theirs]), smallest / 4))
    return checks


def tight(peer: Trials, ours: Trials) -> list[Check]:
    """The checks of trainings in float32."""
    same_forwards(peer, ours)
    checks = [_check(f"{name} loss, all forwards", differences(peer, ours, name), 1e-3) for name in LOSSES]
    finals = np.array([abs(peer[key].metrics["eval/region_loss"] - ours[key].metrics["eval/region_loss"]) for key in peer])
    return [*checks, _check("eval/region_loss of a run", finals, 1e-4)]


def same_forwards(peer: Trials, ours: Trials) -> None:
    """See that both have the same runs, and losses in the same forwards.

    Raises:
        ValueError: if they haven't.
    """
    if peer.keys() != ours.keys():
        raise ValueError(f"not the same runs: {sorted(peer.keys() ^ ours.keys())}")
    for key, trial in peer.items():
        for name in LOSSES:
            theirs, mine = np.isfinite(trial.losses[name]), np.isfinite(ours[key].losses[name])
            if len(theirs) != len(mine) or (theirs != mine).any():
                raise ValueError(f"{key}: not the same forwards have a {name} loss")


def differences(peer: Trials, ours: Trials, name: str) -> Array:
    """Absolute differences of a loss, [runs, forwards]."""
    return np.array([np.abs(trial.losses[name] - ours[key].losses[name]) for key, trial in peer.items()])


def effects(trials: Trials) -> dict[str, float]:
    """Of each fix on the outcome: the mean of arms with it less that of arms without."""
    fixes = list(load_study(STUDY).fixes)
    outcome = {key: trial.metrics[OUTCOME] for key, trial in trials.items()}
    return {fix: _mean(outcome, fix, True) - _mean(outcome, fix, False) for fix in fixes}


def _mean(outcome: Mapping[tuple[str, int], float], fix: str, on: bool) -> float:
    return float(np.mean([value for (arm, _), value in outcome.items() if (arm == "all on" or fix in arm.split("+")) is on]))


def _check(what: str, apart: Array, bound: float, of: str = "greatest") -> Check:
    return Check(what, float(np.nanmax(apart)), float(np.nanmedian(apart)), bound, of)


def markdown(title: str, checks: Sequence[Check]) -> str:
    """The checks as a table."""
    rows = [f"| {title} | greatest | median | bound | |", "| --- | ---: | ---: | ---: | --- |"]
    for each in checks:
        mark = "agrees" if each.holds else "**differs**"
        rows.append(f"| {each.what} | {each.greatest:.2g} | {each.median:.2g} | {each.of} ≤ {each.bound:g} | {mark} |")
    return "\n".join(rows)


def described(trials: Trials) -> str:
    """The effects on the outcome, and what a run took."""
    found = ", ".join(f"{fix} {effect:+.4f}" for fix, effect in effects(trials).items())
    return f"{found}; a run {np.median([trial.seconds for trial in trials.values()]):.2f} s (median)"
