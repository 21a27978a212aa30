"""What runs have in common is trained once, and nothing of what they log or return tells that it was."""

import gc
import weakref

import pytest
import torch

from ablate.engines.base import Task, execute
from ablate.run import Run
from ablate.target import Prefix
from ablate.targets.region_clip import train
from ablate.targets.region_clip.loop import TRUNK, Training
from ablate.targets.region_clip.optimizer import Optimizer
from ablate.targets.region_clip.settings import shares
from ablate.targets.region_clip.trunk import Trunk, on_host, size_of
from tests.targets.small import CPU, SMALL, settled, trained

TARGET = "ablate.targets.region_clip:train"
#: Five windows and half a one; evaluations fall before, between and after the points.
SHORT = {"forwards": 44, "gradient_accumulation": 8, "eval_every": 10}
WARMUPS = (0, 3, 8, 24, 500)
#: Forwards that each takes over from the one before.
TAKEN = (0, 0, 0, 8, 24)
FILTER = {"box_filter": "valid", "min_box_area": 0.01}


def in_family(family, seed=0, **changes):
    """As `trained`, going on from what the family has."""
    run = Run(seed, family=family)
    return dict(train({**SMALL, **changes}, run)), run


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("enqueue", ["before", "after"])
def test_a_fork_is_bit_identical_to_a_training_from_the_start(precision, enqueue):
    params = {**SHORT, **FILTER, "precision": precision, "bank_enqueue": enqueue}
    family = f"{precision}-{enqueue}"
    from_start = [trained(**params, bank_warmup=warmup) for warmup in WARMUPS]
    for warmup, taken, (whole, alone) in zip(WARMUPS, TAKEN, from_start, strict=True):
        final, run = in_family(family, **params, bank_warmup=warmup)
        assert (run.shared, run.steps) == (taken, 44)
        assert final == whole
        assert run.points == alone.points
        assert (run.shared_seconds > 0) == (taken > 0)


def test_the_bank_goes_on_from_a_copy_made_while_it_works_and_so_do_the_generators():
    params = settled(**SHORT, bank_warmup=0, bank_size=24)
    first = Training(params, Run(0))
    torch.manual_seed(5)
    first.begin()
    windows = first.windows()
    for _ in range(3):
        first.step(next(windows))
    assert first.bank.full and first.bank.ptr
    copied, drawn = first.snapshot(), torch.rand(3)
    held = copied.state["bank"]["images"].clone()
    for window in windows:
        first.step(window)
    assert torch.equal(held, copied.state["bank"]["images"])  # what goes on leaves the copy as it is
    second = Training(params, Run(0))
    torch.manual_seed(7)
    second.restore(copied)
    assert torch.equal(torch.rand(3), drawn)
    for window in second.windows():
        second.step(window)
    assert second.end() == first.end()
    assert second.run.points == first.run.points
    assert (second.first_step, second.steps, second.forward) == (0, 6, 44)


def test_a_copy_serves_twice():
    whole = {warmup: trained(**SHORT, bank_warmup=warmup)[0] for warmup in (16, 24, 25, 40)}
    for warmup, taken in ((16, 0), (24, 16), (24, 24), (25, 24), (40, 24)):
        final, run = in_family("twice", **SHORT, bank_warmup=warmup)
        assert (run.shared, final) == (taken, whole[warmup])


def test_the_copy_goes_with_the_familys_last_run_and_that_one_leaves_none():
    several = [{**SMALL, **SHORT, "bank_warmup": warmup} for warmup in (8, 16, 24)]
    whole = [execute(Task("whole", TARGET, params, 0)) for params in several]
    first, second = (execute(Task("r", TARGET, params, 0, prefix=Prefix("gone"))) for params in several[:2])
    kept = weakref.ref(TRUNK.find("gone", 16))
    last = execute(Task("r", TARGET, several[2], 0, prefix=Prefix("gone"), followed=False))
    gc.collect()
    assert kept() is None
    assert TRUNK.find("gone", 44) is None
    assert [each.shared for each in (first, second, last)] == [0, 8, 16]
    assert [(each.metrics, each.points) for each in (first, second, last)] == [(each.metrics, each.points) for each in whole]


def test_a_run_of_no_family_finds_the_process_empty():
    in_family("a", **SHORT, bank_warmup=16)
    kept = weakref.ref(TRUNK.find("a", 16))
    trained(**{**SHORT, "forwards": 8})
    gc.collect()
    assert kept() is None


def test_another_family_and_a_run_of_none_take_nothing_over():
    in_family("a", **SHORT, bank_warmup=16)
    assert in_family("b", **SHORT, bank_warmup=24)[1].shared == 0
    assert trained(**SHORT, bank_warmup=24)[1].shared == 0
    assert in_family("a", **SHORT, bank_warmup=24)[1].shared == 0  # one family at a time


def test_a_run_that_parts_before_the_copy_starts_anew():
    in_family("late", **SHORT, bank_warmup=24)
    final, run = in_family("late", **SHORT, bank_warmup=16)
    assert (run.shared, final) == (0, trained(**SHORT, bank_warmup=16)[0])


@pytest.mark.parametrize(("warmup", "taken"), [(16, 8), (40, 8)])
def test_a_training_that_diverges_does_so_from_a_copy_too(warmup, taken):
    params = {**SMALL, **SHORT, "lr": 1e6, "precision": "fp32"}
    common = Prefix("diverging", 0, 44)
    before = execute(Task("a", TARGET, {**params, "bank_warmup": 8}, 0, prefix=common))
    forked, whole = (execute(Task("b", TARGET, {**params, "bank_warmup": warmup}, 0, prefix=p)) for p in (common, Prefix()))
    assert [each.state for each in (before, forked, whole)] == ["diverged"] * 3
    assert (forked.shared, whole.shared) == (taken, 0)
    assert forked.steps == whole.steps < 44
    assert (forked.error, repr(forked.points)) == (whole.error, repr(whole.points))


def test_seconds_are_those_of_the_whole_training():
    params = {**SMALL, **SHORT, "forwards": 160, "eval_every": 0}
    common = Prefix("seconds", 0, 160)
    execute(Task("warm", TARGET, params, 0))  # what is made once a process is made
    run = [execute(Task("r", TARGET, {**params, "bank_warmup": warmup}, 0, prefix=common)) for warmup in (144, 160)]
    assert (run[1].shared, run[1].steps) == (144, 160)
    assert run[0].seconds / 2 < run[1].shared_seconds < run[0].seconds
    assert run[1].shared_seconds < run[1].seconds < 2 * run[0].seconds
    assert run[1].seconds - run[1].shared_seconds < run[0].seconds / 2


def test_what_is_larger_than_its_room_is_not_kept():
    training = Training(settled(**SHORT), Run(0))
    state = {"masters": training.optimizer.state(), "weights": training.model.state_dict()}
    size = size_of(state)
    assert size >= sum(weight.nbytes for weight in training.model.parameters())
    for room, kept in ((size, True), (size - 1, False)):
        trunk = Trunk(room)
        trunk.keep("a", size, training.snapshot)
        assert (trunk.find("a", 0) is not None) == kept
        assert trunk.find("", 0) is None
        assert trunk.find("b", 0) is None
        assert trunk.find("a", 0) is None


def test_a_copy_shares_no_storage():
    state = {"a": [torch.ones(2), (torch.zeros(1), 3)], "b": {"c": "text"}}
    copied = on_host(state)
    state["a"][0].fill_(7)
    state["a"][1][0].fill_(7)
    assert copied["a"][0].tolist() == [1, 1]
    assert copied["a"][1][0].tolist() == [0]
    assert copied["b"] == {"c": "text"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_optimizer_goes_on_from_the_state_of_another(precision):
    from ablate.targets.region_clip.loop import make_model

    params = settled(precision=precision)
    (one, first), (two, second) = ((model, Optimizer(model, 0.1, 0.1)) for model in (make_model(params, CPU) for _ in range(2)))

    def step(model, optimizer, scale):
        for i, weight in enumerate(model.parameters()):
            if i % 5 or scale != 0.5:  # some have none at first, and lie apart from then on
                weight.grad = torch.full_like(weight, scale * (1 + i % 3))
        return optimizer.step()

    step(one, first, 0.5)
    two.load_state_dict(one.state_dict())
    second.load(on_host(first.state()))
    assert len(second.flats) == len(first.flats) > 2
    assert step(one, first, -0.25) == step(two, second, -0.25)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    step(one, first, 1.0)
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert not any(torch.equal(a, b) for a, b in pairs)  # they share nothing


@pytest.mark.parametrize(
    ("changes", "point"),
    [
        ({"bank_warmup": 0}, 0),
        ({"bank_warmup": 7}, 0),
        ({"bank_warmup": 8}, 8),
        ({"bank_warmup": 43}, 40),
        ({"bank_warmup": 44}, 44),
        ({"bank_warmup": 10**6}, 44),
        ({"bank_warmup": 8, "bank_size": 0}, 44),
        ({"bank_warmup": 7, "gradient_accumulation": 3}, 6),
    ],
)
def test_runs_part_where_the_window_begins_in_which_the_bank_starts(changes, point):
    found = shares(settled(**{**SHORT, **changes}))
    assert (found.point, found.steps) == (point, 44)


def test_all_but_the_warm_up_makes_the_family():
    family = shares(settled(**SHORT)).family
    assert shares(settled(**SHORT, bank_warmup=3)).family == family
    for change in ({"lr": 1e-5}, {"bank_size": 64}, {"bank_enqueue": "before"}, FILTER, {"probes": "off"}, {"precision": "fp32"}):
        assert shares(settled(**SHORT, **change)).family != family


def test_warm_ups_that_outlast_the_training_are_one():
    assert settled(**SHORT, bank_warmup=500) == settled(**SHORT, bank_warmup=44) != settled(**SHORT, bank_warmup=43)
