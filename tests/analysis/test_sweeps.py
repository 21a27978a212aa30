"""The response to a knob."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.analysis.sweeps import Response, respond
from tests.builders import few


@few
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9).filter(lambda values: np.ptp(values) > 1e-6))
def test_mean_and_interval_equal_scipy(outcomes: list[float]) -> None:
    found = respond(0.5, outcomes)
    wanted = stats.t.interval(0.95, len(outcomes) - 1, np.mean(outcomes), stats.sem(outcomes))
    assert found.ci == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert (found.value, found.mean, found.seeds) == (0.5, pytest.approx(np.mean(outcomes)), len(outcomes))


def test_with_fewer_than_two_outcomes_there_is_no_interval() -> None:
    assert respond(1, []) == Response(1, None, None, 0)
    assert respond(1, [4.0]) == Response(1, 4.0, None, 1)
