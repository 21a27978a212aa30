"""What becomes of trainings that end badly: tried again on either engine, and on ray whatever happens to a worker process."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from ablate.engines.base import Limits, Result, Retry, Task
from ablate.engines.inline import InlineEngine
from ablate.engines.ray import RayEngine
from ablate.errors import EngineError
from ablate.records import reason
from ablate.stop import Stop
from tests.engines.test_engines import tasks

#: Seconds without progress that these tests put up with.
DEADLINE = 2.0


@pytest.fixture(scope="module")
def pool():
    with RayEngine(workers=3, limits=Limits(1, DEADLINE)) as engine:
        engine.prepare("dying_early:train", [{"import": "torch"}])  # which takes longer than the deadline
        yield engine


@pytest.fixture(params=["inline", "ray"])
def engine(request):
    return InlineEngine(Limits(1)) if request.param == "inline" else request.getfixturevalue("pool")


def ended(engine, params, stop=None):
    """Results by run id, and all that was told."""
    told = list(engine.run(tasks(params), stop))
    results = [event for event in told if isinstance(event, Result)]
    assert len({result.run_id for result in results}) == len(results)
    return {result.run_id: result for result in results}, told


def test_a_training_that_raises_is_tried_again_then_fails_with_its_traceback(engine, tmp_path):
    found, told = ended(engine, [{"raise": str(tmp_path / "once")}, {"raise": True}, {}])
    assert [(found[f"r{i}"].state, found[f"r{i}"].attempts) for i in range(3)] == [
        ("completed", 2),
        ("failed", 2),
        ("completed", 1),
    ]
    assert 'raise ValueError("planted fault")' in found["r1"].error and reason(found["r1"].error) == "ValueError: planted fault"
    retries = [(event.run_id, event.attempt, event.most) for event in told if isinstance(event, Retry)]
    assert sorted(retries) == [("r0", 1, 2), ("r1", 1, 2)]
    assert Counter(event.run_id for event in told if isinstance(event, Task)) == {"r0": 2, "r1": 2, "r2": 1}


def test_bad_input_found_late_is_not_tried_again(engine):
    found, _ = ended(engine, [{"input": True}])
    assert (found["r0"].state, found["r0"].attempts) == ("failed", 1)


def test_a_training_that_says_it_diverged_keeps_what_it_logged(engine):
    found, _ = ended(engine, [{"diverge": True}])
    assert (found["r0"].state, found["r0"].error) == ("diverged", "loss is nan at step 4")
    assert found["r0"].points == (("loss", 3, 2.0),) and found["r0"].metrics == {}


def test_a_full_device_is_tried_again_alone_once(engine, tmp_path):
    (tmp_path / "never").touch()
    found, told = ended(engine, [{"crowded": str(tmp_path)}, {"slow": 3}, {"slow": 3}])
    assert (found["r0"].state, found["r0"].attempts) == ("failed", 2)
    said = "CUDA out of memory. the peak is not known: torch sees no CUDA device, alone there; make the training smaller"
    assert said in reason(found["r0"].error)
    retry = next(event for event in told if isinstance(event, Retry))
    assert retry.alone and retry.most == 3
    assert found["r1"].state == found["r2"].state == "completed"


def test_trainings_that_find_the_device_full_all_end_well_once_each_is_alone(pool, tmp_path):
    found, told = ended(pool, [{"crowded": str(tmp_path)}] * 5)
    assert {result.state for result in found.values()} == {"completed"}
    assert any(isinstance(event, Retry) and event.alone for event in told)


def test_dead_workers_are_replaced_while_others_go_on(pool, tmp_path):
    marks = [{"die": str(tmp_path / f"{i}")} for i in range(3)]  # all three workers at once
    found, told = ended(pool, [*marks, {"crash": str(tmp_path / "c")}, {"leave": str(tmp_path / "l")}, *[{}] * 4])
    assert {result.state for result in found.values()} == {"completed"}
    assert [found[f"r{i}"].attempts for i in range(9)] == [2] * 5 + [1] * 4
    assert sum(isinstance(event, Retry) for event in told) == 5


def test_what_dies_again_fails_with_what_is_known(pool):
    found, _ = ended(pool, [{"crash": True}, {"leave": True}, {}])
    assert reason(found["r0"].error) == "the worker process died while training this run: Segmentation fault"
    assert "dying.py" in found["r0"].error and found["r0"].error.startswith("Traceback (most recent call last):")
    assert "  a last word\n" in found["r1"].error and "(it was killed or left at once" in reason(found["r1"].error)
    assert [found[f"r{i}"].attempts for i in range(3)] == [2, 2, 1] and found["r2"].state == "completed"


def test_a_training_that_hangs_is_ended_and_says_where(pool, tmp_path):
    found, told = ended(pool, [{"stuck": True}, {"frozen": str(tmp_path / "f")}, {"slow": 35}])
    why = "no progress for 2 s: stuck (dying.py, line 52); if it logs nothing for that long when well, raise"
    assert why in reason(found["r0"].error) and ", in train\n" in found["r0"].error
    retried = {event.run_id: event.error for event in told if isinstance(event, Retry)}
    assert "its process was frozen" in retried["r1"]
    assert [found[f"r{i}"].state for i in range(3)] == ["failed", "completed", "completed"]
    assert found["r2"].attempts == 1  # longer than that, with progress all the time


def test_a_worker_that_dies_idle_costs_no_attempt(pool):
    found, _ = ended(pool, [{}] * 3)
    for result in found.values():
        os.kill(int(result.points[0][2]), signal.SIGKILL)
    found, told = ended(pool, [{}] * 6)
    assert {(result.state, result.attempts) for result in found.values()} == {("completed", 1)}
    assert not any(isinstance(event, Retry) for event in told)


def test_a_stop_lets_what_is_training_end_and_begins_nothing(engine):
    stop, told = Stop(), []
    for event in engine.run(tasks([{"slow": 3}, {"slow": 3, "raise": True}, *[{}] * 9]), stop):
        told.append(event)
        stop.asked = True
    assert {event.run_id for event in told if isinstance(event, Task)} == {e.run_id for e in told if isinstance(e, Result)}
    assert len(told) <= 6 and not any(isinstance(event, Retry) for event in told)


def test_workers_that_die_while_preparing_are_replaced_and_end_it_in_one_line(pool, tmp_path):
    pool.prepare("dying_early:train", [{"die": str(tmp_path / "once")}])
    with pytest.raises(EngineError, match=r"^dying_early:train failed while preparing what its runs share: the worker"):
        pool.prepare("dying_early:train", [{"die": None}])
    found, _ = ended(pool, [{}] * 3)
    assert {result.state for result in found.values()} == {"completed"}
