"""The time left, against studies whose end is known."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from ablate.pace import Pace, about, elapsed


@pytest.mark.parametrize(("workers", "spread", "early", "late"), [(1, 0.0, 0.1, 0.1), (4, 0.0, 16, 6), (4, 0.2, 50, 20)])
def test_the_time_left_is_close_from_the_first_run_on(workers: int, spread: float, early: float, late: float) -> None:
    seconds = list(20 * np.random.default_rng(1).uniform(1 - spread, 1 + spread, size=80))
    pace, now, running, seen = Pace(0.0), 0.0, list[tuple[float, str]](), []
    while seconds or running:
        while seconds and len(running) < workers:
            pace.started(name := f"run {len(seconds)}", now)
            heapq.heappush(running, (now + seconds.pop(), name))
        now, name = heapq.heappop(running)
        assert seen or pace.left(len(seconds), now) is None
        pace.ended(name, now)
        seen.append((now, pace.left(len(seconds), now)))
    assert len(seen) == 80
    assert seen[-1][1] == 0
    wrong = [abs(left - (now - when)) for when, left in seen]  # of about 400 s on four workers
    assert max(wrong[:10]) < early
    assert max(wrong[10:]) < late


def test_times_are_written_no_finer_than_they_are_known() -> None:
    assert [about(seconds) for seconds in (0.2, 41, 90, 91, 3500, 5500, 7200)] == [
        "5 s",
        "45 s",
        "90 s",
        "2 min",
        "59 min",
        "1 h 35 min",
        "2 h",
    ]
    assert [elapsed(seconds) for seconds in (7.9, 725, 3730)] == ["0:07", "12:05", "1:02:10"]
