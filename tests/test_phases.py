"""Phases: every second belongs to one, whatever the nesting; a run that is not profiled has none and logs the same."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.engines.base import Task, execute
from ablate.phases import OTHER, Phases
from ablate.run import Run
from tests.builders import few

#: A training as a tree: (phase, seconds before, what is within, seconds after).
TREES = st.recursive(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.just(()), st.integers(0, 9)),
    lambda inner: st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.lists(inner, max_size=3), st.integers(0, 9)),
    max_leaves=12,
)


class Clock:
    """Stands still but when it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def go(tree: Any, run: Run, clock: Clock, expected: Counter[str]) -> None:
    """Go through the tree on that clock; `expected` counts each second where it is spent."""
    name, before, within, after = tree
    with run.phase(name):
        clock.now += before
        for part in within:
            go(part, run, clock, expected)
        clock.now += after
    expected[name] += before + after


@few
@given(st.lists(TREES, max_size=4), st.integers(0, 9))
def test_phases_nest_and_sum_to_the_runs_seconds(trees: list[Any], besides: int) -> None:
    clock, expected = Clock(), Counter[str]()
    run = Run(0, phases=Phases(clock=clock))
    for tree in trees:
        go(tree, run, clock, expected)
        clock.now += besides
        expected[OTHER] += besides
    assert run.phases is not None
    found = run.phases.end(clock.now)
    assert {name: seconds for name, seconds in found.items() if seconds} == {k: v for k, v in expected.items() if v}
    assert sum(found.values()) == clock.now - 100


def test_a_phase_ends_however_it_is_left_and_items_are_timed_as_they_are_fetched() -> None:
    clock = Clock()
    run = Run(0, phases=Phases(clock=clock))

    def items() -> Any:
        for item in range(3):
            clock.now += 2
            yield item

    with suppress(KeyError), run.phase("outer"), run.phase("inner"):
        clock.now += 1
        raise KeyError
    for _ in run.timed("data", items()):
        clock.now += 10
    assert run.phases is not None
    assert run.phases.end(clock.now) == {OTHER: 30, "outer": 0, "inner": 1, "data": 6}


def test_the_device_is_waited_for_before_the_clock_is_read() -> None:
    """Work that was given to a device in a phase counts for it, though the device does it later."""
    clock = Clock()
    owed = count()

    def settle() -> None:
        clock.now += 5 * (next(owed) == 1)  # at the end of the phase: the device was behind by 5 s

    phases = Phases(clock=clock, settle=settle)
    with phases.phase("forward"):
        pass
    assert phases.end(clock.now) == {OTHER: 0, "forward": 5}


def test_phases_of_other_threads_pass_beside() -> None:
    run = Run(0, phases=Phases())

    def load() -> None:
        with run.phase("beside"):
            time.sleep(0)

    with run.phase("data"):
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
    assert run.phases is not None and set(run.phases.end(time.perf_counter())) == {OTHER, "data"}


def logs(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Logs in phases of its own, and raises if it is to."""
    with run.phase("work"):
        run.log_metrics({"loss": run.seed}, 0)
        for step in run.timed("data", range(2)):
            run.log_metric("step", step, step)
        if params.get("raises"):
            raise ValueError("planted")
    return {"score": 1.0}


def executed(profile: bool, **params: Any) -> Any:
    return execute(Task("a-0", "tests.test_phases:logs", params, 3, profile=profile))


@pytest.mark.parametrize("raises", [False, True])
def test_a_profiled_run_gives_the_same_and_says_where_its_time_went(raises: bool) -> None:
    plain, profiled = executed(False, raises=raises), executed(True, raises=raises)
    assert (plain.points, plain.metrics, plain.state) == (profiled.points, profiled.metrics, profiled.state)
    assert plain.phases == {} and plain.worker == profiled.worker
    assert set(profiled.phases) == {"imports", "work", "data", "logging", OTHER}
    assert sum(profiled.phases.values()) == pytest.approx(profiled.seconds, rel=1e-9)


def test_a_run_that_is_not_profiled_reads_no_clock() -> None:
    run = Run(0)
    assert run.phase("a") is run.phase("b")  # one object that does nothing, made once
    with run.phase("a"), run.phase("a"):
        assert list(run.timed("data", iter("xy"))) == ["x", "y"]


def test_the_processor_time_of_a_run_is_its_own() -> None:
    busy, waits = (execute(Task("a-0", f"tests.test_phases:{name}", {}, 0)) for name in ("burns", "sleeps"))
    assert busy.cpu >= BURNT and waits.cpu < BURNT / 2 and waits.seconds >= BURNT


#: Seconds.
BURNT = 0.2


def burns(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Takes processor time."""
    return _until(time.process_time)


def sleeps(params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Takes wall time alone."""
    time.sleep(BURNT)
    return {}


def _until(clock: Callable[[], float]) -> dict[str, float]:
    start = clock()
    while clock() - start < BURNT:
        pass
    return {}
