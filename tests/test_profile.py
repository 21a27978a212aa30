"""The profile of a study: what is summed over runs, and how long workers had none in hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ablate.profile import Phase, Profile, Stint, profile_of
from ablate.record import Record
from ablate.sittings import Sitting

EPOCH = 1_760_000_000.0


def record(name: str, start: float, seconds: float, worker: str, cpu: float = 1.0, profiled: bool = True) -> Record:
    phases = {"forward": seconds / 4, "other": 3 * seconds / 4} if profiled else {}
    return Record(name, "completed", EPOCH + start, seconds, worker=worker, cpu=cpu, phases=phases)


def sitting(start: float, workers: int = 2) -> Sitting:
    began = datetime.fromtimestamp(EPOCH + start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Sitting(began, "run", "report", "ray", workers, "cpu")


def profile(*records: Record, sat: tuple[Sitting, ...] = (sitting(0),)) -> Profile:
    found = profile_of(records, sat)
    assert found is not None
    return found


TWO = (record("a-0", 1, 4, "x", 3.0), record("a-1", 1, 6, "y", 5.0), record("b-0", 5, 4, "x", 3.0))


def test_totals_idle_and_utilisation_by_hand() -> None:
    found = profile(*TWO)
    assert found.names == ("forward", "other")
    assert found.totals == {"forward": 3.5, "other": 10.5} and found.busy == 14
    assert (found.median("forward"), found.median("nothing")) == (1.0, 0.0)
    assert found.capacity == 16 and found.idle == 2  # 8 s by the clock
    assert found.utilisation == pytest.approx(11 / 16)
    (phase,) = found.phases
    assert [(lane.busy, [stint.run_id for stint in lane.stints]) for lane in phase.lanes] == [(8, ["a-0", "b-0"]), (6, ["a-1"])]
    assert sum(phase.wall - lane.busy for lane in phase.lanes) == found.idle


def test_a_worker_that_had_nothing_counts_as_idle() -> None:
    assert profile(*TWO, sat=(sitting(0, workers=3),)).idle == 10


def test_a_run_that_was_not_profiled_was_in_hand_for_what_it_did_itself() -> None:
    whole = record("b-0", 5, 10, "x", profiled=False)
    forked = replace(whole, steps=100, shared=60, shared_seconds=6.0)
    found = profile(TWO[0], TWO[1], forked)
    assert found.phases[0].busy == 4 + 6 + 4
    assert (found.capacity, found.idle) == (16, 2)
    assert profile(TWO[0], TWO[1], whole).phases[0].busy == 4 + 6 + 10


def test_a_worker_that_died_shares_a_lane_with_the_one_in_its_place() -> None:
    died = replace(record("c-0", 5, 1, "", 0.0, profiled=False), state="failed")
    found = profile(record("a-0", 1, 4, "x"), record("a-1", 1, 8, "y"), died, record("b-0", 6.5, 2, "z"))
    lanes = [[stint.run_id for stint in lane.stints] for lane in found.phases[0].lanes]
    assert lanes == [["a-0", "c-0", "b-0"], ["a-1"]]
    assert found.utilisation is None  # what it used is not known
    assert found.idle == pytest.approx(16 - 15)


def test_each_sitting_has_a_training_phase_of_its_own_and_one_that_was_not_profiled_is_left_out() -> None:
    sat = (sitting(0), sitting(100, workers=1), sitting(200, workers=1))
    found = profile(*TWO, record("c-0", 110, 5, "z", profiled=False), record("d-0", 201, 5, "z"), sat=sat)
    assert [(phase.workers, phase.wall) for phase in found.phases] == [(2, 8), (1, 5)]
    assert [stint.run_id for stint in found.stints] == ["a-0", "a-1", "b-0", "d-0"]
    assert profile_of([record("a-0", 0, 1, "x", profiled=False)], sat) is None
    assert profile(*TWO, sat=()).capacity == 16  # no sitting was noted: the workers are those that are seen


def test_a_run_that_took_its_beginning_over_was_in_hand_for_its_own_part_alone() -> None:
    forked = replace(record("a-0", 1, 4, "x"), seconds=9.0)
    assert (Stint.of(forked).seconds, profile(forked).busy) == (4, 4)
    assert Phase(1, (Stint.of(forked),)).idle == 0


def test_a_targets_own_phases_stand_between_those_of_a_step_and_the_rest() -> None:
    own = replace(TWO[0], phases={"zeta": 1.0, "other": 1.0, "eta": 2.0, "logging": 1.0, "data": 1.0})
    assert profile(own).names == ("data", "logging", "eta", "zeta", "other")
