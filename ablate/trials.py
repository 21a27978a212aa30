"""The Optuna side: one study, a trial a training, fixes as categorical parameters. The only module that imports Optuna.

Cells are the planner's; Optuna keeps their states and values, so that its dashboard and its plots work. (GridSampler would
count failed trials as visited, and its cost grows linearly with the trials that exist.)
"""

from __future__ import annotations

import math
from datetime import datetime

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from ablate.design import Plan, PlannedRun
from ablate.errors import BadInput
from ablate.records import Record


class Trials:
    """The trials of a plan.

    Args:
        url: an SQLAlchemy URL, for example `sqlite:///reports/three_fixes/optuna.db`.
        plan: gives the study's name, direction and parameters.
        fresh: forget the trials that are there.

    Raises:
        BadInput: if the storage can't be opened.
    """

    def __init__(self, url: str, plan: Plan, fresh: bool = False) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan = plan
        try:
            storage = optuna.storages.RDBStorage(url)
            if fresh and plan.name in optuna.get_all_study_names(storage):
                optuna.delete_study(study_name=plan.name, storage=storage)
            self._study = optuna.create_study(
                study_name=plan.name, storage=storage, direction=plan.study.outcome.goal, load_if_exists=True
            )
        except Exception as error:  # SQLAlchemy and each driver raise their own
            reason = str(error).splitlines()[0]
            raise BadInput(f"--storage: {url!r} can't be opened ({reason}); give an SQLAlchemy URL that can") from error
        self._study.set_user_attr("quick", plan.quick)
        trials = self._study.get_trials(deepcopy=False)
        self.finished = {t.user_attrs["run_id"]: t.number for t in trials if t.state.is_finished() and "run_id" in t.user_attrs}
        self._open = {t.user_attrs["run_id"]: t.number for t in trials if t.state == TrialState.RUNNING}

    def start(self, run: PlannedRun) -> int:
        """Open a trial for a run, or take up the one that an interruption left open. Returns its number."""
        if run.id in self._open:
            return self._open[run.id]
        params, distributions = self._parameters(run)
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs={"run_id": run.id, "cell": run.cell.id, "arm": run.cell.label, "seed": run.seed},
        )
        trial.datetime_start = datetime.now()
        self._study.add_trial(trial)
        self._open[run.id] = self._study.get_trials(deepcopy=False)[-1].number
        return self._open[run.id]

    def finish(self, run: PlannedRun, record: Record) -> int:
        """Close the run's trial with its outcome, or as failed. Returns its number."""
        number = self.start(run)
        value = record.metrics.get(self._plan.study.outcome.metric, math.nan)
        if record.state == "completed" and math.isfinite(value):
            self._study.tell(number, value)
        else:
            self._study.tell(number, state=TrialState.FAIL)
        del self._open[run.id]
        self.finished[run.id] = number
        return number

    def _parameters(self, run: PlannedRun) -> tuple[dict[str, str | float], dict[str, BaseDistribution]]:
        params: dict[str, str | float] = {name: "on" if on else "off" for name, on in run.cell.fixes.items()}
        distributions: dict[str, BaseDistribution] = {name: CategoricalDistribution(("off", "on")) for name in params}
        if run.cell.id in self._plan.arms.values():
            return params, distributions
        for name, points in self._plan.sweeps.items():
            for point in points:
                if point.cell == run.cell.id:
                    params[name] = point.value
                    distributions[name] = FloatDistribution(points[0].value, points[-1].value)
        return params, distributions
