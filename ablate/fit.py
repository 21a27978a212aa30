"""Whether a study and its target fit together: params that the target takes, metrics that it reports and that can be compared."""

from __future__ import annotations

from ablate.errors import BadInput
from ablate.sections import Goal
from ablate.shown import shown
from ablate.study import Study, suggest
from ablate.target import Declaration


def check_fit(study: Study, declaration: Declaration) -> None:
    """See that every param and metric that a study names is one of its target's, as far as the target declares them.

    Raises:
        BadInput: with the key, its value and the nearest name that would do.
    """
    _check_params(study, declaration)
    _check_metrics(study, declaration)


def _check_params(study: Study, declaration: Declaration) -> None:
    if not declaration.params:
        return
    given = [(f"params.{key}", key) for key in study.params]
    for name, fix in study.fixes.items():
        given += [(f"fixes.{name}.off.{key}", key) for key in fix.off] + [(f"fixes.{name}.on.{key}", key) for key in fix.on]
    given += [(f"sweeps.{name}.param", sweep.param) for name, sweep in study.sweeps.items()]
    given += [(f"contexts.{name}.{key}", key) for name, params in study.contexts.items() for key in params]
    for where, key in given:
        if key not in declaration.params:
            raise BadInput(f"{where}: {shown(key)} is not a param of {study.target}; use {suggest(key, declaration.params)}")


def _check_metrics(study: Study, declaration: Declaration) -> None:
    metrics = declaration.metrics
    if not metrics:
        return
    final = [name for name, metric in metrics.items() if metric.final] + ["seconds"]
    step = [name for name, metric in metrics.items() if metric.step]
    wanted: list[tuple[str, str, list[str]]] = [("outcome.metric", study.outcome.metric, final)]
    wanted += [("secondary", goal.metric, final) for goal in study.secondary]
    wanted += [("curves", name, step) for name in study.curves]
    for claim in study.claims:
        wanted.append((f"claims.{claim.name}.metric", claim.metric, final if claim.reduction == "final" else step))
    for name, fix in study.fixes.items():
        if fix.changes:
            wanted.append((f"fixes.{name}.changes.metric", fix.changes.metric, step if fix.changes.steps else [*step, *final]))
    for symptom in study.symptoms:
        wanted.append((f"symptoms.{symptom.name}.metric", symptom.metric, step))
        wanted += [(f"symptoms.{symptom.name}.where", name, step) for name in symptom.where]
    for where, name, known in wanted:
        if name not in known:
            raise BadInput(f"{where}: {shown(name)} is never reported by {study.target}; use {suggest(name, known)}")
    for goal in (study.outcome, *study.secondary):
        _check_comparable(goal, declaration)


def _check_comparable(goal: Goal, declaration: Declaration) -> None:
    metric = declaration.metrics.get(goal.metric)
    if metric and metric.incomparable:
        instead = f"use {metric.twin}" if metric.twin else "use another metric"
        raise BadInput(f"outcome.metric: {shown(goal.metric)} can't be compared across arms ({metric.incomparable}); {instead}")
