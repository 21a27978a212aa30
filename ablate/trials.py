"""The Optuna side: one study, a trial a training, fixes as categories. Only this, `trialrows` and `samplers` import it.

Cells are the planner's; Optuna keeps their states and values, so that its dashboard and its plots work. (GridSampler would
count failed trials as visited, and its cost grows linearly with the trials that exist.)
"""

from __future__ import annotations

import errno
import math
import sqlite3
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import StaticPool, make_url

from ablate import trialrows as rows
from ablate.analysis.contexts import OWN
from ablate.design import Plan, PlannedRun
from ablate.errors import AblateError, BadInput, StorageError
from ablate.files import storage_error
from ablate.record import Record, outcome_of
from ablate.samplers import distribution
from ablate.secrets import without_secrets
from ablate.trialrows import End, Row, Writing

Told = TypeVar("Told")

RUNNING, COMPLETE, FAIL = TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL
#: A run that started, or that ended with this record.
Event = tuple[PlannedRun, Record | None]

#: The parameter that tells contexts apart.
CONTEXT = "context"
#: What SQLite says of a disk, and what the system would.
SQLITE = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO, sqlite3.SQLITE_READONLY: errno.EROFS}


class Trials:
    """The trials of a plan. A run that failed and was tried again has a trial an attempt; the last one counts.

    Once the storage fails it is left alone: the records are safe, and `reconcile` tells it of them later. Several folders may
    share a storage and a study's name in it: each sees its own trials only, and leaves the others theirs.

    Args:
        url: an SQLAlchemy URL, for example `sqlite:///reports/three_fixes/optuna.db`.
        plan: gives the study's name, direction and parameters.
        folder: whose trials they are (`Records.identity`). Trials that say nothing of it are of before it was noted, and its own.

    Raises:
        BadInput: if the storage can't be opened, or its tables are another Optuna's.
        StorageError: if it is in a file and the disk takes nothing more.
    """

    def __init__(self, url: str, plan: Plan, folder: str = "") -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._plan, self._folder = plan, folder
        self._down = False
        #: Trials that are open: run id → (id, number); and what is told of runs that ended: run id → (number, state, value).
        self._open: dict[str, tuple[int, int]] = {}
        self._told: dict[str, tuple[int, TrialState, float | None]] = {}
        try:
            self._storage = _opened(url)
            self._enter()
        except AblateError:
            raise
        except Exception as error:  # SQLAlchemy and each driver raise their own
            if full := _disk(error, url):
                raise full from error
            why = without_secrets(_reason(error))
            raise BadInput(
                f"--storage: {without_secrets(url)!r} can't be opened ({why}); give an SQLAlchemy URL that can"
            ) from error

    def replan(self, plan: Plan) -> None:
        """Go on with a plan that has more swept values."""
        self._plan = plan

    def forget(self) -> None:
        """Delete the folder's trials (`--fresh`). Where that fails, `reconcile` does it later, as no record speaks of them."""
        self._reach(self._forget)

    def _forget(self) -> None:
        mine = {trial.key for trial in rows.read(self._storage, self._study) if self._mine(trial)}
        self._rebuild([trial for trial in self._trials() if trial._trial_id not in mine])

    def tell(self, events: Sequence[Event]) -> dict[str, int]:
        """Tell of several runs at once, in one transaction: of each that it started (no record), or that it ended.

        A run that starts has a trial opened, or takes up the one that an interruption left open; one that ended has it closed
        with its outcome, or as failed.

        Args:
            events: one a run.

        Returns:
            run id → number of its trial; nothing where the storage can't be reached.
        """
        return self._reach(lambda: self._tell(events)) or {}

    def reconcile(self, runs: Sequence[PlannedRun], records: Mapping[str, Record]) -> dict[str, int]:
        """Bring the storage in line with the records, whatever came in between: each run that ended has one trial that says so.

        What was left open by a driver that was killed is taken up where its run is still planned, and has failed where not. A
        trial that says what no record does can't be changed: the study is made anew, with all that is right in it.

        Args:
            runs: those of the plan.
            records: all of the folder, by run id.

        Returns:
            run id → number of its trial, of the planned runs that ended; nothing while the storage can't be reached.
        """
        ended = [run for run in runs if run.id in records]
        if self._down or any(self._told.get(run.id, ())[1:] != self._ending(records[run.id]) for run in ended) or not ended:
            self._down = False
            self._reach(lambda: self._reconcile({run.id: run for run in runs}, records))
        return {} if self._down else {run.id: self._told[run.id][0] for run in ended}

    def _reconcile(self, planned: Mapping[str, PlannedRun], records: Mapping[str, Record]) -> None:
        trials = rows.read(self._storage, self._study)
        right = self._right(trials, records)
        if self._direction() != self._plan.study.outcome.goal or not self._told_fits() or _told_wrong(trials, right, self._mine):
            kept = {trial.key for trial in trials if not self._mine(trial) or right.get(trial.run) is trial}
            self._rebuild([trial for trial in self._trials() if trial._trial_id in kept and self._fits([trial])])
            trials = rows.read(self._storage, self._study)
            right = self._right(trials, records)
        self._told = {run: (trial.number, trial.state, trial.value) for run, trial in right.items()}
        self._take_up([trial for trial in trials if self._mine(trial) and trial.state == RUNNING], planned, records)
        untold = sorted(planned.keys() & records.keys() - self._told.keys(), key=lambda run: _end(records[run]))
        self._tell([(planned[run_id], records[run_id]) for run_id in untold])

    def _take_up(self, left: Sequence[Row], planned: Mapping[str, PlannedRun], records: Mapping[str, Record]) -> None:
        """Leave a trial open that a killed driver left so, if its run is still to end or to be told of; else it has failed."""
        self._open, failed = {}, list[End]()
        for trial in left:
            due = trial.run not in self._told or records[trial.run].state == "failed"
            if trial.run in planned and trial.run not in self._open and due:
                self._open[trial.run] = trial.key, trial.number
            else:
                failed.append(End(trial.key, FAIL, None))
        if failed:
            with self._writing() as writing:
                writing.close(failed)

    def _right(self, trials: Sequence[Row], records: Mapping[str, Record]) -> dict[str, Row]:
        """The trials that say what the records say, by run id: the first that completed, or the last that failed."""
        right: dict[str, Row] = {}
        for trial in trials:
            record = records.get(trial.run) if self._mine(trial) else None
            if record and (trial.state, trial.value) == self._ending(record):
                known = right.get(trial.run)
                if known is None or trial.state == FAIL:
                    right[trial.run] = trial
        return right

    def _tell(self, events: Sequence[Event]) -> dict[str, int]:
        new = [event for event in events if event[0].id not in self._open]
        ended = [(run, record) for run, record in events if record is not None]
        ends = [End(self._open[run.id][0], *self._ending(record)) for run, record in ended if run.id in self._open]
        if new or ends:
            with self._writing() as writing:
                writing.close(ends)
                added = writing.add([self._trial(*event) for event in new])
            self._open |= {run.id: place for (run, _), place in zip(new, added, strict=True)}
        numbers = {run.id: self._open[run.id][1] for run, _ in events}
        for run, record in ended:
            self._told[run.id] = numbers[run.id], *self._ending(record)
            del self._open[run.id]
        return numbers

    def _ending(self, record: Record) -> tuple[TrialState, float | None]:
        """Optuna knows no divergence: a run without an outcome has failed."""
        value = outcome_of(record, self._plan.study.outcome.metric)
        return (COMPLETE, value) if math.isfinite(value) else (FAIL, None)

    def _reach(self, tell: Callable[[], Told]) -> Told | None:
        """Do something in the storage, unless it failed before. Where another folder made the study anew, find it again."""
        if self._down:
            return None
        try:
            try:
                return tell()
            except KeyError:
                self._enter()
                running = rows.read(self._storage, self._study, RUNNING)
                self._open = {trial.run: (trial.key, trial.number) for trial in running if self._mine(trial)}
                return tell()
        except Exception as error:  # SQLAlchemy and each driver raise their own
            self._down = True
            why = without_secrets(_reason(error))
            warnings.warn(
                f"Optuna's storage can't be written ({why}); the runs are kept, and it is told of them later", stacklevel=2
            )
            return None

    def _enter(self) -> None:
        """Find the study, or make it."""
        name, goal = self._plan.name, self._plan.study.outcome.goal
        if name not in optuna.get_all_study_names(self._storage):
            optuna.create_study(study_name=name, storage=self._storage, direction=goal, load_if_exists=True)
        self._study = self._storage.get_study_id_from_name(name)
        self._storage.set_study_user_attr(self._study, "quick", self._plan.quick)
        self._checked = set[tuple[str, str]]()

    def _rebuild(self, keep: Sequence[FrozenTrial]) -> None:
        """Make the study anew: its direction, the values of a word and trials that ended can't be changed."""
        self._storage.delete_study(self._study)
        self._enter()
        self._open, self._told = {}, {}
        for plain, several in groupby(keep, key=lambda trial: not (trial.system_attrs or trial.intermediate_values)):
            self._put_back(list(several), plain)

    def _put_back(self, trials: Sequence[FrozenTrial], plain: bool) -> None:
        """Add trials as they were; at once where they are plain: nothing of what `trialrows` doesn't write."""
        if plain:
            with suppress(ValueError), self._writing() as writing:
                writing.add(trials)
                return
        for trial in trials:
            with suppress(ValueError):  # another folder's, of other contexts: it is told again by its own next run
                self._storage.create_new_trial(self._study, trial)

    def _direction(self) -> str:
        return self._storage.get_study_directions(self._study)[0].name.lower()

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _writing(self) -> AbstractContextManager[Writing]:
        return rows.writing(self._storage, self._study, self._checked)

    def _mine(self, trial: Row) -> bool:
        """Whether it is of a run of this folder."""
        return trial.run != "" and trial.folder in (None, self._folder)

    def _trial(self, run: PlannedRun, record: Record | None) -> FrozenTrial:
        """A run's trial, open or, of one that ended before it was told of, as it ended."""
        params, distributions = self._parameters(run)
        state, value = self._ending(record) if record else (RUNNING, None)
        told = {"run_id": run.id, "cell": run.cell.id, "arm": run.cell.label, "seed": run.seed, "folder": self._folder}
        return FrozenTrial(
            number=-1,
            state=state,
            value=value,
            datetime_start=datetime.fromtimestamp(record.started) if record else datetime.now(),
            datetime_complete=datetime.fromtimestamp(_end(record)) if record else None,
            params=params,
            distributions=distributions,
            user_attrs=told,
            system_attrs={},
            intermediate_values={},
            trial_id=-1,
        )

    @property
    def _contexts(self) -> CategoricalDistribution | None:
        """The words of the parameter that tells contexts apart; None in a study without."""
        return CategoricalDistribution((OWN, *self._plan.contexts)) if self._plan.contexts else None

    def _fits(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether the contexts that the trials were told of are the plan's."""
        told = [trial.distributions[CONTEXT] for trial in trials if CONTEXT in trial.distributions]
        return all(known == self._contexts for known in told) or not self._plan.contexts

    def _told_fits(self) -> bool:
        """The same of all that the storage has."""
        return not self._plan.contexts or all(
            known == self._contexts for known in rows.distributions(self._storage, self._study, CONTEXT)
        )

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


def _opened(url: str) -> optuna.storages.RDBStorage:
    """The storage behind a URL.

    Raises:
        BadInput: if its tables are an earlier or a later Optuna's.
    """
    storage = optuna.storages.RDBStorage(url, _engine(url), skip_compatibility_check=True)
    here, head = storage.get_current_version(), storage.get_head_version()
    shown = without_secrets(url)
    if here == head:
        return storage
    if here in storage.get_all_versions():
        raise BadInput(
            f"--storage: {shown!r} has the tables of an older Optuna ({here}); bring them up to date with "
            f"`optuna storage upgrade --storage {shown}`, or give another"
        )
    raise BadInput(
        f"--storage: {shown!r} has the tables of a newer Optuna ({here}) than {optuna.__version__}; "
        "`pip install -U optuna`, or give another"
    )


def _engine(url: str) -> dict[str, Any]:
    """What SQLAlchemy is told of an SQLite in memory: one connection for all threads, or each would have a storage of its own."""
    at = make_url(url)
    if at.get_backend_name() != "sqlite" or at.database not in (None, "", ":memory:"):
        return {}
    return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}


def _disk(error: BaseException, url: str) -> StorageError | None:
    """What SQLite says of a disk that takes nothing more; None of anything else."""
    cause: BaseException | None = error
    while cause is not None:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code in SQLITE:
            return storage_error(OSError(SQLITE[code], str(cause)), Path(url.partition("///")[2]))
        cause = getattr(cause, "orig", None) or cause.__cause__ or cause.__context__
    return None


def _reason(error: BaseException) -> str:
    """What went wrong, on one line: of Optuna's own words for it, what the database said."""
    said = error.__cause__ or error
    return str(getattr(said, "orig", None) or said).partition("\n")[0]


def _end(record: Record) -> float:
    return record.ended


def _told_wrong(trials: Sequence[Row], right: Mapping[str, Row], mine: Callable[[Row], bool]) -> bool:
    """Whether a trial completed that no record speaks of, or with another value, or twice."""
    return any(trial.state == COMPLETE and mine(trial) and right.get(trial.run) is not trial for trial in trials)
