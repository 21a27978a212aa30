"""Which worker takes which task, where some tasks have a beginning in common."""

import pytest

from ablate.engines.affinity import choose
from ablate.engines.base import Task
from ablate.target import Prefix


def task(family="", point=0, steps=100):
    return Task(f"{family}{point}", "t:train", {}, 0, prefix=Prefix(family, point, steps if family else 0))


def test_tasks_of_no_family_are_begun_in_their_order():
    assert choose(["", ""], [task(), task()], [task()]) == (0, 0)
    assert choose([], [task()], []) is None
    assert choose([""], [], [task()]) is None


def test_a_worker_goes_on_with_its_family():
    waiting = [task("a", 10), task(), task("b", 20), task("b", 40)]
    assert choose(["", "b"], waiting, [task("a", 0)]) == (1, 2)
    assert choose(["c"], waiting, [task("a", 0)]) == (0, 1)


def test_a_family_that_a_worker_is_in_is_left_to_it_while_there_is_another():
    assert choose([""], [task("a", 10), task("a", 90), task("b", 20)], [task("a", 0)]) == (0, 2)


@pytest.mark.parametrize(
    ("working", "waiting", "steals"),
    [
        ([10], [100], True),  # 10 done twice, and half a run to wait for: 50 + 90 > 100
        ([60], [100], False),  # 50 + 40 < 100
        ([60, 60], [100], False),
        ([80], [84, 88, 92, 96], True),  # 50 + 20 + 16 + 12 + 8 > 100
        ([90], [92, 94, 96, 98], False),
        ([10, 20], [100], False),  # two are in it: 50 + 80 / 2 < 100
    ],
)
def test_at_the_end_a_worker_takes_one_of_a_family_where_it_ends_before_the_others_are_through(working, waiting, steals):
    found = choose([""], [task("a", point) for point in waiting], [task("a", point) for point in working])
    assert found == ((0, 0) if steals else None)


def test_nobody_waits_where_nobody_works():
    assert choose(["", "b"], [task("a", 100)], []) == (0, 0)
