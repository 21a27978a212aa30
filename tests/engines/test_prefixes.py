"""Runs of a family through the engines: on two workers, and with one killed in the middle."""

import pytest

from ablate.engines.base import Result, Task
from ablate.engines.inline import InlineEngine
from ablate.engines.ray import RayEngine
from ablate.target import Prefix

REGION = "ablate.targets.region_clip:train"
SMALL = {"forwards": 32, "pretrain_steps": 2, "pretrain_batch": 8, "eval_images": 16, "eval_every": 8}
WARMUPS = (0, 9, 16, 24, 32)
#: Where each parts from the others.
POINTS = (0, 8, 16, 24, 32)


@pytest.fixture(scope="module")
def ray_engine():
    with RayEngine(workers=2) as engine:
        engine.prepare(REGION, [SMALL])
        yield engine


def tasks(seeds, family=True, target=REGION, **more):
    return [
        Task(f"{seed}-{warmup}", target, {**SMALL, "bank_warmup": warmup} | more.get(f"w{warmup}", {}), seed,
             prefix=Prefix(f"f{seed}", point, 32) if family else Prefix())
        for seed in seeds
        for warmup, point in zip(WARMUPS, POINTS, strict=True)
    ]  # fmt: skip


def results(engine, todo):
    found = {event.run_id: event for event in engine.run(todo) if isinstance(event, Result)}
    assert {each.state for each in found.values()} == {"completed"}, [each.error for each in found.values()]
    return found


@pytest.fixture(scope="module")
def alone():
    """Each trained from its start."""
    InlineEngine().prepare(REGION, [SMALL])
    found = results(InlineEngine(), tasks((0, 1, 2), family=False))
    assert {each.shared for each in found.values()} == {0}
    return found


def same(some, whole):
    return all((each.metrics, each.points) == (whole[key].metrics, whole[key].points) for key, each in some.items())


def test_inline_shares_all_that_can_be(alone):
    found = results(InlineEngine(), tasks((0, 1)))
    assert [each.shared for each in found.values()] == 2 * [0, 0, 8, 16, 24]
    assert {each.steps for each in found.values()} == {32}
    assert same(found, alone)


def test_two_workers_share_within_their_families_and_the_results_are_the_same(ray_engine, alone):
    found = results(ray_engine, tasks((0, 1)))
    assert same(found, alone)
    assert sum(each.shared for each in found.values()) > 0  # how much depends on which worker is through first


def test_a_worker_that_is_killed_in_a_family_costs_what_it_had_and_changes_nothing(ray_engine, alone, tmp_path):
    killed = {"w16": {"mark": str(tmp_path / "mark")}}
    found = results(ray_engine, tasks((2,), target="dying_family:train", **killed))
    assert found["2-16"].attempts == 2
    assert found["2-16"].shared == 0
    assert same(found, alone)
