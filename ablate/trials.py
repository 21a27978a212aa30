"""The Optuna side: one study, a trial a training, fixes as categorical parameters. The only module that imports Optuna.

Cells are the planner's; Optuna keeps their states and values, so that its dashboard and its plots work. (GridSampler would
count failed trials as visited, and its cost grows linearly with the trials that exist.)
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from ablate.analysis.contexts import OWN
from ablate.design import Plan, PlannedRun
from ablate.errors import BadInput
from ablate.records import Record, outcome_of
from ablate.sections import Sweep

#: Random values before a model of them picks the next. The same for any number of trials, so that more can be added later.
RANDOM_FIRST = 4

#: The parameter that tells contexts apart.
CONTEXT = "context"


class Trials:
    """The trials of a plan. A run that failed and was tried again has a trial an attempt; the last one counts.

    Args:
        url: an SQLAlchemy URL, for example `sqlite:///reports/three_fixes/optuna.db`.
        plan: gives the study's name, direction and parameters.

    Raises:
        BadInput: if the storage can't be opened.
    """

    def __init__(self, url: str, plan: Plan) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._plan = plan
        try:
            self._storage = optuna.storages.RDBStorage(url)
            self._open_study()
        except Exception as error:  # SQLAlchemy and each driver raise their own
            reason = str(error).partition("\n")[0]
            raise BadInput(f"--storage: {url!r} can't be opened ({reason}); give an SQLAlchemy URL that can") from error

    def _open_study(self) -> None:
        plan, goal = self._plan, self._plan.study.outcome.goal
        if plan.name in optuna.get_all_study_names(self._storage):
            there = optuna.load_study(study_name=plan.name, storage=self._storage)
            fits = there.direction.name.lower() == goal and self._fits(there)
            if not fits:  # the direction of a study and the values of a word can't be changed; the records have all it held
                optuna.delete_study(study_name=plan.name, storage=self._storage)
        self._study = optuna.create_study(study_name=plan.name, storage=self._storage, direction=goal, load_if_exists=True)
        self._study.set_user_attr("quick", plan.quick)
        self._latest: dict[str, tuple[int, TrialState]] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if "run_id" in trial.user_attrs:
                self._latest[trial.user_attrs["run_id"]] = trial.number, trial.state

    @property
    def _contexts(self) -> CategoricalDistribution | None:
        """The words of the parameter that tells contexts apart; None in a study without."""
        return CategoricalDistribution((OWN, *self._plan.contexts)) if self._plan.contexts else None

    def _fits(self, there: optuna.Study) -> bool:
        """Whether the contexts that the trials were told of are the plan's."""
        told = [trial.distributions[CONTEXT] for trial in there.get_trials(deepcopy=False) if CONTEXT in trial.distributions]
        return all(known == self._contexts for known in told) or not self._plan.contexts

    def replan(self, plan: Plan) -> None:
        """Go on with a plan that has more swept values."""
        self._plan = plan

    def forget(self) -> None:
        """Delete all trials (`--fresh`)."""
        optuna.delete_study(study_name=self._plan.name, storage=self._storage)
        self._open_study()

    def holds(self, run_id: str, record: Record) -> int | None:
        """The number of the trial that holds this record, or None: it has none, or only one of an earlier attempt."""
        number, state = self._latest.get(run_id, (-1, TrialState.WAITING))
        return number if state == self._state(record) else None

    def start(self, run: PlannedRun) -> int:
        """Open a trial for a run, or take up the one that an interruption left open. Returns its number."""
        number, state = self._latest.get(run.id, (-1, TrialState.WAITING))
        if state == TrialState.RUNNING:
            return number
        params, distributions = self._parameters(run)
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs={"run_id": run.id, "cell": run.cell.id, "arm": run.cell.label, "seed": run.seed},
        )
        trial.datetime_start = datetime.now()
        self._study.add_trial(trial)
        number = self._study.get_trials(deepcopy=False)[-1].number
        self._latest[run.id] = number, TrialState.RUNNING
        return number

    def finish(self, run: PlannedRun, record: Record) -> int:
        """Close the run's trial with its outcome, or as failed. Returns its number."""
        number, state = self.start(run), self._state(record)
        value = outcome_of(record, self._plan.study.outcome.metric)
        self._study.tell(number, value if state == TrialState.COMPLETE else None, state)
        self._latest[run.id] = number, state
        return number

    def _state(self, record: Record) -> TrialState:
        """Optuna knows no divergence: a run without an outcome has failed."""
        return TrialState.COMPLETE if record.state == "completed" else TrialState.FAIL

    def _parameters(self, run: PlannedRun) -> tuple[dict[str, str | float], dict[str, BaseDistribution]]:
        params: dict[str, str | float] = {name: "on" if on else "off" for name, on in run.cell.fixes.items()}
        distributions: dict[str, BaseDistribution] = {name: CategoricalDistribution(("off", "on")) for name in params}
        if contexts := self._contexts:
            params[CONTEXT], distributions[CONTEXT] = self._plan.context_of(run.cell.id) or OWN, contexts
        if run.cell.id in self._plan.arms.values():
            return params, distributions
        for name, points in self._plan.sweeps.items():
            for point in points:
                if run.cell.id in point.cells:
                    params[name] = point.value
                    swept = self._plan.study.sweeps[name]
                    spread = FloatDistribution(points[0].value, points[-1].value)
                    distributions[name] = spread if swept.values is not None else distribution(swept)
        return params, distributions


def distribution(sweep: Sweep) -> FloatDistribution | IntDistribution:
    """Where a sampler looks for a sweep's values."""
    assert sweep.low is not None and sweep.high is not None
    if sweep.integer:
        return IntDistribution(int(sweep.low), int(sweep.high), log=sweep.log)
    return FloatDistribution(sweep.low, sweep.high, log=sweep.log)


def ask(
    sweep: Sweep, history: Sequence[tuple[float, float | None]], goal: Literal["maximize", "minimize"], seeds: tuple[int, int]
) -> float:
    """The next value that a sweep's sampler would try; a function of what is given and of nothing else.

    A sampler made anew is told the whole history, so that a search goes on as if it had never stopped.

    Args:
        history: the values tried so far in order, each with its mean outcome; None where no run of it completed.
        goal: maximize or minimize.
        seeds: of the randomness of the whole search, and of this trial.
    """
    space = distribution(sweep)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction=goal, sampler=_sampler(sweep, *seeds))
        if sweep.sampler == "qmc":  # a sequence that hears of nothing but its own length
            return float([study.ask({"value": space}).params["value"] for _ in range(len(history) + 1)][-1])
        for value, outcome in history:
            state = TrialState.FAIL if outcome is None else TrialState.COMPLETE
            params = {"value": int(value) if sweep.integer else value}
            study.add_trial(optuna.trial.create_trial(state=state, value=outcome, params=params, distributions={"value": space}))
        return float(study.ask({"value": space}).params["value"])


def _sampler(sweep: Sweep, whole: int, trial: int) -> BaseSampler:
    if sweep.sampler == "random":
        return optuna.samplers.RandomSampler(seed=trial)
    if sweep.sampler == "qmc":
        return optuna.samplers.QMCSampler(scramble=True, seed=whole)
    if sweep.sampler == "gp":
        try:
            return optuna.samplers.GPSampler(seed=trial, n_startup_trials=RANDOM_FIRST)
        except ImportError:
            raise BadInput("sampler: gp takes torch, which is not installed; install it, or use tpe") from None
    return optuna.samplers.TPESampler(seed=trial, n_startup_trials=RANDOM_FIRST)
