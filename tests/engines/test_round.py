"""What a round hands on, and when: a result is never lost to what comes behind it."""

import time
from pathlib import Path

import pytest

from ablate.engines.base import Limits, Result, Task, execute
from ablate.engines.lost import Vigil
from ablate.engines.round import Job, Round
from ablate.errors import EngineError
from ablate.stop import Stop
from tests.builders import plan

MADE = plan(design={"seeds": 2})
TASKS = [Task(run.id, MADE.target.name, run.cell.params, run.seed) for run in MADE.runs[:4]]


class Here:
    """Workers in this process, which train as they are asked for what came of it.

    Args:
        most: how many tasks they take; then they break.
    """

    def __init__(self, most=99):
        self.left, self.trained = most, []

    def begin(self, worker, task, alone):
        if not self.left:
            raise EngineError("ray is gone")
        self.left -= 1
        path = Path("unused")
        return Job(task, worker, object(), path, Vigil(path, 60.0), time.time(), alone)

    def wait(self, jobs):
        return jobs[0].reference

    def collect(self, job):
        self.trained.append(job.task.run_id)
        return execute(job.task), job.worker

    def look(self, jobs):
        pass

    def free(self):
        pass


def events(pool, workers=("w",)):
    return Round(pool, workers, TASKS, Stop(), Limits()).events()


def test_a_result_comes_before_what_is_begun_behind_it_while_that_is_in_training_already():
    pool = Here()
    kinds = []
    for event in events(pool):
        kinds.append((type(event).__name__, event.run_id))
        if isinstance(event, Result) and len(kinds) < 2 * len(TASKS):
            assert pool.left == 99 - len(pool.trained) - 1  # the worker has its next task
    assert kinds == [(kind, task.run_id) for task in TASKS for kind in ("Task", "Result")]


def test_a_caller_that_fails_at_a_start_has_all_results():
    pool, kept = Here(), []

    def failing():
        for event in events(pool):
            if isinstance(event, Result):
                kept.append(event.run_id)
            elif len(pool.trained) == 2:
                raise OSError("the terminal is closed")

    with pytest.raises(OSError, match="closed"):
        failing()
    assert kept == pool.trained == [task.run_id for task in TASKS[:2]]


@pytest.mark.parametrize("workers", [("a",), ("a", "b")])
def test_workers_that_break_take_no_result_with_them(workers):
    pool, kept = Here(3), []
    with pytest.raises(EngineError, match="ray is gone"):
        kept.extend(event.run_id for event in events(pool, workers) if isinstance(event, Result))
    assert kept == pool.trained
    assert len(kept) > 1
