"""Plan against record: train what is missing, keep what comes back, and tell Optuna and MLflow.

The driver is the only writer. Workers train and send results here, so SQLite never sees two writers, and a dead worker or a
tracker that is down loses nothing that finished.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.design import Plan, PlannedRun
from ablate.engines.base import Engine, Result, Retry, Task
from ablate.errors import BadInput
from ablate.families import tasks_of
from ablate.mirror import Shows
from ablate.records import Record, Records
from ablate.source import note_source, source_of
from ablate.stop import Stop
from ablate.target import target_errors
from ablate.telling import Telling

if TYPE_CHECKING:
    from ablate.trials import Trials


class Watcher(Protocol):
    """Is told how a study goes: the terminal's progress display is one."""

    def preparing(self) -> None: ...

    def started(self, run: PlannedRun) -> None: ...

    def retried(self, run: PlannedRun, retry: Retry) -> None: ...

    def stopping(self) -> None: ...

    def ended(self, run: PlannedRun, record: Record) -> None: ...


def missing(plan: Plan, records: Mapping[str, Record]) -> list[PlannedRun]:
    """The planned runs with no record, or with one of a failure: these are trained when the study is run again."""
    return [run for run in plan.runs if run.id not in records or records[run.id].state == "failed"]


def unchecked(plan: Plan, records: Records) -> list[PlannedRun]:
    """The same of the runs that check the study and are none of its design."""
    ended = {run.id: records.load_one(run.id) for run in plan.checks}
    return [run for run in plan.checks if (record := ended[run.id]) is None or record.state == "failed"]


class Driver:
    """Carries a plan out.

    Args:
        plan: what to train.
        records: where it is kept.
        trials: the Optuna study.
        mirror: what MLflow is told by.
        profile: whether it is noted where the time of each run goes.
    """

    def __init__(self, plan: Plan, records: Records, trials: Trials, mirror: Shows, profile: bool = False) -> None:
        self._plan, self._records, self._trials, self._mirror, self._profile = plan, records, trials, mirror, profile
        self._source = source_of(plan.target.name)
        self._kept = sum(record.state == "completed" for record in records.load().values())

    def replan(self, plan: Plan) -> None:
        """Go on with a plan that has more swept values."""
        self._plan = plan
        self._trials.replan(plan)

    def train(
        self, todo: Sequence[PlannedRun], engine: Engine, watcher: Watcher, device: str = "cpu", stop: Stop | None = None
    ) -> None:
        """Train these runs. Each is on disk before the next result is taken, whatever interrupts.

        Raises:
            KeyboardInterrupt: once what was training has ended, where `stop` was asked for meanwhile.
        """
        target, stop = self._plan.target, stop or Stop()
        runs = {run.id: run for run in todo}
        if target.declaration.prepare:
            watcher.preparing()
        note_source(self._records, self._source)
        self._mirror.begin()
        prepare(engine, target.name, [run.cell.params for run in one_a_cell(todo)])
        tasks = tasks_of(todo, target, device, self._plan.study.resources.share_prefixes, self._profile)
        with stop.on_ctrl_c(watcher.stopping), self._telling() as telling:
            for event in engine.run(tasks, stop):
                self._take(runs[event.run_id], event, watcher, telling)
        if stop.asked:
            raise KeyboardInterrupt

    def _take(self, run: PlannedRun, event: Task | Retry | Result, watcher: Watcher, telling: Telling) -> None:
        if isinstance(event, Result):
            watcher.ended(run, self._keep(run, event, telling))
        elif isinstance(event, Retry):
            watcher.retried(run, event)
        else:
            telling.start(run)
            watcher.started(run)

    def catch_up(self, records: Mapping[str, Record]) -> None:
        """Tell Optuna and MLflow of recorded runs that they don't hold: one was down, or the driver was killed in between."""
        numbers = self._trials.reconcile(self._plan.runs, records)
        self._number({run_id: records[run_id] for run_id in numbers}, numbers)
        self._mirror.catch_up(self._plan.runs, self._records.load())

    def _keep(self, run: PlannedRun, result: Result, telling: Telling) -> Record:
        """Record a result, and tell of it. What the outcome says of it is settled here: a target doesn't know the outcome."""
        wanted = self._plan.study.outcome.metric
        if result.state == "completed" and wanted not in {*result.metrics, "seconds"}:
            names = ", ".join(sorted(result.metrics)) or "none"
            lacks = f"outcome.metric: {wanted!r} was not among the final metrics that {self._plan.target.name} returned ({names})"
            if not self._kept:
                raise BadInput(f"{lacks}; name one of them")
            result = replace(result, state="failed", error=lacks)
        elif result.state == "completed" and not math.isfinite(result.metrics.get(wanted, 0.0)):
            result = replace(result, state="diverged")
        self._kept += result.state == "completed" and not run.aside
        record = self._records.add(result, telling.number(run), self._source.id)
        if record.trial is not None:  # else once Optuna has numbered it
            self._mirror.show(run, record)
        telling.finish(run, record)
        return record

    def _telling(self) -> Telling:
        return Telling(self._trials, self._told, self._records.mark_running)

    def _told(self, ended: Sequence[tuple[PlannedRun, Record]], numbers: Mapping[str, int]) -> None:
        """Number the runs that ended before Optuna had numbered them, and show them. Called by a thread of its own."""
        late = {run.id: (run, record) for run, record in ended if record.trial is None}
        numbered = self._number({run_id: record for run_id, (_, record) in late.items()}, numbers)
        for run, record in late.values():
            self._mirror.show(run, numbered.get(run.id, record))

    def _number(self, records: Mapping[str, Record], numbers: Mapping[str, int]) -> dict[str, Record]:
        """Note the numbers of trials with the records, where they have others or none; returns those records."""
        other = {run: record for run, record in records.items() if numbers.get(run, record.trial) != record.trial}
        changed = [replace(record, trial=numbers[run]) for run, record in other.items()]
        self._records.link(changed)
        return {record.run_id: record for record in changed}


def prepare(engine: Engine, target: str, params: Sequence[Mapping[str, Any]]) -> None:
    """Let the target make what its runs share.

    Raises:
        EngineError: in one line, whatever the target raises.
    """
    with target_errors(target, "preparing what its runs share"):
        engine.prepare(target, params)


def one_a_cell(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The first run of each cell."""
    return list({run.cell.id: run for run in runs}.values())


def default_storage(out: Path) -> str:
    """Optuna's storage where no `--storage` is given."""
    return f"sqlite:///{out / 'optuna.db'}"
