"""Optuna's trials many at a time: its own tables, read and written with one transaction for all of them.

Through Optuna's API a trial takes three transactions and some thirty statements; nothing in it adds several at once. What
is written here is what `RDBStorage` writes, by its own models; that the tables are this Optuna's `trials` sees to when it opens
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql
from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

TABLES = models.BaseModel.metadata.tables
STUDIES, TRIALS, VALUES = (TABLES[name] for name in ("studies", "trials", "trial_values"))
PARAMS, ATTRIBUTES = TABLES["trial_params"], TABLES["trial_user_attributes"]
#: Rows that are asked for in one statement: databases take so many variables and no more.
MOST = 500


@dataclass(frozen=True)
class Row:
    """What a trial says, as far as it is compared with the records.

    Attributes:
        key: its id in the storage.
        number: in its study.
        run: whose it is; empty where it doesn't say so.
        folder: of which folder's; None where it doesn't say so.
    """

    key: int
    number: int
    state: TrialState
    value: float | None
    run: str
    folder: str | None


@dataclass(frozen=True)
class End:
    """How an open trial ended.

    Attributes:
        key: its id in the storage.
    """

    key: int
    state: TrialState
    value: float | None


def read(storage: RDBStorage, study: int, state: TrialState | None = None) -> list[Row]:
    """The trials of a study, first to last, without all that they hold, which would take longer.

    Args:
        state: of those in this state only.

    Raises:
        KeyError: if there is no such study.
    """
    wanted = [TRIALS.c.study_id == study, *([TRIALS.c.state == state] if state is not None else [])]
    told = sql.select(ATTRIBUTES.c.trial_id, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json).join_from(ATTRIBUTES, TRIALS)
    trials = sql.select(TRIALS.c.trial_id, TRIALS.c.number, TRIALS.c.state, VALUES.c.value, VALUES.c.value_type)
    with storage.engine.connect() as connection:
        if connection.scalar(sql.select(STUDIES.c.study_id).where(STUDIES.c.study_id == study)) is None:
            raise KeyError(study)
        attributes: dict[int, dict[str, Any]] = {}
        for trial, key, value in connection.execute(told.where(*wanted, ATTRIBUTES.c.key.in_(["run_id", "folder"]))):
            attributes.setdefault(trial, {})[key] = json.loads(value)
        found = connection.execute(trials.outerjoin_from(TRIALS, VALUES).where(*wanted).order_by(TRIALS.c.trial_id)).all()
    return [_row(*each, attributes.get(each[0], {})) for each in found]


def _row(key: int, number: int, state: TrialState, value: float | None, kind: Any, told: dict[str, Any]) -> Row:
    worth = None if kind is None else models.TrialValueModel.stored_repr_to_value(value, kind)
    return Row(key, number, state, worth, str(told.get("run_id", "")), told.get("folder"))


def distributions(storage: RDBStorage, study: int, param: str) -> list[BaseDistribution]:
    """The distributions that a param was told of with."""
    asked = sql.select(PARAMS.c.distribution_json).distinct().join_from(PARAMS, TRIALS)
    with storage.engine.connect() as connection:
        found = connection.scalars(asked.where(TRIALS.c.study_id == study, PARAMS.c.param_name == param)).all()
    return [json_to_distribution(each) for each in found]


class Writing:
    """One transaction on a study, which nobody else writes to meanwhile.

    Args:
        checked: params and distributions that are known to fit the study's; what is found to fit is added.
    """

    def __init__(self, connection: sql.Connection, study: int, checked: set[tuple[str, str]]) -> None:
        self._connection, self._study, self._checked = connection, study, checked

    def add(self, trials: Sequence[FrozenTrial]) -> list[tuple[int, int]]:
        """Add trials: their ids and numbers. Whoever else writes to the storage meanwhile, no number is given twice.

        Raises:
            ValueError: if a param's distribution is not the study's.
        """
        if not trials:
            return []
        params = [[self._param(name, each.distributions[name], value) for name, value in each.params.items()] for each in trials]
        told = [[(name, json.dumps(value)) for name, value in each.user_attrs.items()] for each in trials]
        keys = self._keys(trials)
        ids = [key for key, _ in keys]
        self._insert(PARAMS, ids, params, "param_name", "distribution_json", "param_value")
        self._insert(ATTRIBUTES, ids, told, "key", "value_json")
        self._values(zip(ids, (trial.value for trial in trials), strict=True))
        return keys

    def close(self, ends: Sequence[End]) -> None:
        """Close trials.

        Raises:
            KeyError: if one is gone: another folder made the study anew.
            UpdateFinishedTrialError: if one is closed.
        """
        for part in (ends[i : i + MOST] for i in range(0, len(ends), MOST)):
            asked = sql.select(TRIALS.c.trial_id, TRIALS.c.state).where(TRIALS.c.trial_id.in_([end.key for end in part]))
            states = {row.trial_id: row.state for row in self._connection.execute(asked)}
            for end in part:
                if states[end.key].is_finished():
                    raise UpdateFinishedTrialError(f"trial {end.key} has ended already")
        if ends:
            changes = [{"id": end.key, "now": end.state, "ended": _utc(datetime.now())} for end in ends]
            closed = TRIALS.update().where(TRIALS.c.trial_id == sql.bindparam("id"))
            self._connection.execute(closed.values(state=sql.bindparam("now"), datetime_complete=sql.bindparam("ended")), changes)
            self._values((end.key, end.value) for end in ends)

    def _keys(self, trials: Sequence[FrozenTrial]) -> list[tuple[int, int]]:
        mine = TRIALS.c.study_id == self._study
        asked = sql.select(sql.func.count(TRIALS.c.trial_id), sql.func.max(TRIALS.c.trial_id)).where(mine)
        count, last = self._connection.execute(asked).one()
        started = [(_utc(trial.datetime_start), _utc(trial.datetime_complete)) for trial in trials]
        rows = [
            {"number": number, "study_id": self._study, "state": trial.state, "datetime_start": start, "datetime_complete": end}
            for number, (trial, (start, end)) in enumerate(zip(trials, started, strict=True), count)
        ]
        self._connection.execute(TRIALS.insert(), rows)
        new = sql.select(TRIALS.c.trial_id, TRIALS.c.number).where(mine, TRIALS.c.trial_id > (last or 0))
        return [(key, number) for key, number in self._connection.execute(new.order_by(TRIALS.c.number))]

    def _param(self, param: str, spread: BaseDistribution, value: Any) -> tuple[str, str, float]:
        """Name, distribution and value as they are written, once it is known that the study has the param in the same way."""
        text = distribution_to_json(spread)
        if (param, text) not in self._checked:
            first = sql.select(PARAMS.c.distribution_json).join_from(PARAMS, TRIALS)
            asked = first.where(TRIALS.c.study_id == self._study, PARAMS.c.param_name == param).limit(1)
            known = next((fits for name, fits in self._checked if name == param), None)
            if (before := known or self._connection.scalar(asked)) is not None:
                check_distribution_compatibility(json_to_distribution(before), spread)
            self._checked.add((param, text))
        return param, text, spread.to_internal_repr(value)

    def _values(self, values: Iterator[tuple[int, float | None]]) -> None:
        stored = {key: models.TrialValueModel.value_to_stored_repr(value) for key, value in values if value is not None}
        self._insert(VALUES, list(stored), [[(0, *each)] for each in stored.values()], "objective", "value", "value_type")

    def _insert(self, table: sql.Table, ids: Sequence[int], said: Sequence[Sequence[tuple[Any, ...]]], *names: str) -> None:
        """Rows that say something of trials: a tuple each, of what belongs in the columns named."""
        each = [(key, values) for key, several in zip(ids, said, strict=True) for values in several]
        rows = [{"trial_id": key, **dict(zip(names, values, strict=True))} for key, values in each]
        if rows:
            self._connection.execute(table.insert(), rows)


@contextmanager
def writing(storage: RDBStorage, study: int, checked: set[tuple[str, str]]) -> Iterator[Writing]:
    """All that is written within is there, or nothing of it where something fails.

    Raises:
        KeyError: if there is no such study.
    """
    with storage.engine.begin() as connection:
        # A change that changes nothing: from here on SQLite lets nobody else write, and other databases nobody to this study.
        same = STUDIES.update().where(STUDIES.c.study_id == study).values(study_name=STUDIES.c.study_name)
        if not connection.execute(same).rowcount:
            raise KeyError(study)
        yield Writing(connection, study, checked)


def _utc(time: datetime | None) -> datetime | None:
    """As Optuna's tables have it: UTC, and without saying so."""
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None)
