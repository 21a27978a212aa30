"""One contract, two engines: real ray workers, some of which are killed."""

import pytest

from ablate.engines.base import Result, Task
from ablate.engines.inline import InlineEngine
from ablate.engines.ray import RayEngine
from ablate.errors import EngineError

TARGET = "dying:train"
REGION = "ablate.targets.region_clip:train"
SMALL = {"forwards": 24, "pretrain_steps": 2, "pretrain_batch": 8, "eval_images": 16, "bank_warmup": 8}


@pytest.fixture(scope="module")
def ray_engine():
    with RayEngine(workers=2) as engine:
        yield engine


@pytest.fixture(params=["inline", "ray"])
def engine(request):
    return InlineEngine() if request.param == "inline" else request.getfixturevalue("ray_engine")


def tasks(params, target=TARGET):
    return [Task(f"r{i}", target, each, seed=i) for i, each in enumerate(params)]


def results(engine, todo):
    return {event.run_id: event for event in engine.run(todo) if isinstance(event, Result)}


def test_every_task_starts_once_and_ends_once(engine):
    todo = tasks([{}] * 7)
    events = list(engine.run(todo))
    assert sorted(e.run_id for e in events if isinstance(e, Task)) == [t.run_id for t in todo]
    ended = [e for e in events if isinstance(e, Result)]
    assert sorted(e.run_id for e in ended) == [t.run_id for t in todo]
    assert all(e.metrics == {"score": float(e.run_id[1:])} and e.seconds >= 0 for e in ended)


def test_a_target_that_raises_fails_alone_with_its_traceback(engine):
    seen = results(engine, tasks([{}, {"raise": True}, {}]))
    assert [seen[f"r{i}"].state for i in range(3)] == ["completed", "failed", "completed"]
    assert seen["r1"].error.endswith("ValueError: planted fault")


def test_a_target_that_exits_fails_like_any_other(engine):
    seen = results(engine, tasks([{"exit": True}, {}]))
    assert [seen[f"r{i}"].state for i in range(2)] == ["failed", "completed"]


def test_ray_trains_on_two_workers_that_stay_warm(ray_engine):
    pids = {result.points[0][2] for result in results(ray_engine, tasks([{}] * 12)).values()}
    assert len(pids) == 2


def test_inline_and_ray_give_bit_identical_metrics_and_curves(ray_engine):
    inline = InlineEngine()
    for each in (inline, ray_engine):
        each.prepare(REGION, [SMALL])
    a, b = (results(each, tasks([SMALL, SMALL], REGION)) for each in (inline, ray_engine))
    for run_id in a:
        assert a[run_id].state == "completed", a[run_id].error
        assert a[run_id].metrics == b[run_id].metrics
        assert a[run_id].points == b[run_id].points


def test_more_than_the_machine_has_is_refused(ray_engine):
    ray_engine.__exit__()
    with pytest.raises(EngineError, match="a worker takes 64 CPU and 0 GPU, and ray has none that fits"), RayEngine(cpus=64):
        pass
