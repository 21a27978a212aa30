"""Courses of effects over training: what had settled, what had not, and how often noise is taken for either."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.analysis.effects import Array
from ablate.analysis.layout import full_factorial
from ablate.analysis.trajectory import MOST_STEPS, described, follow, warned
from tests.builders import signs

LAYOUT = full_factorial(("a", "b", "c"))
STEPS = (100, 200, 300, 400)


def logged(
    rng: np.random.Generator, a: dict[int, float], noise: float = 0.05, seeds: int = 6, drift: float = 0.3
) -> dict[int, Array]:
    """Outcomes at each step, [seeds, arms]: the effect of `a` there, noise that stays with a run, and some of each step's own."""
    stays = rng.normal(scale=noise, size=(seeds, 8)) + rng.normal(scale=noise, size=(seeds, 1))
    own = signs(3)[:, 0] / 2
    return {step: own * effect + stays + rng.normal(scale=drift * noise, size=(seeds, 8)) for step, effect in a.items()}


def test_a_sign_that_flips_is_said_with_both_effects() -> None:
    tables = logged(np.random.default_rng(1), {0: 0.0, 100: -0.4, 200: 0.38, 300: 0.38, 400: 0.4})
    course = follow(tables, LAYOUT.mains, 0.01)["a"]
    assert course.word == "flipped"
    assert course.opposite is not None and course.opposite[0] == 100
    first, last = course.points[1][1].effect, course.points[-1][1].effect
    wanted = f"a changed sign as training went on: {first:+.3g} at step 100, {last:+.3g} at 400".replace("-", "−")
    assert warned("a", course) == [wanted]


def test_a_trend_that_goes_on_is_said_with_its_last_two_effects() -> None:
    courses = follow(logged(np.random.default_rng(2), dict(zip(STEPS, (0.2, 0.4, 0.6, 0.9), strict=True))), LAYOUT.mains)
    (said,) = warned("a", courses["a"])
    then, last = (courses["a"].points[index][1].effect for index in (1, -1))
    assert courses["a"].word == "growing"
    assert said == f"a was still growing: {then:+.3g} at step 200, {last:+.3g} at 400; a longer training may say more"
    assert courses["b"].word == "settled" and warned("b", courses["b"]) == []
    shrinking = follow(logged(np.random.default_rng(3), dict(zip(STEPS, (0.9, 0.9, 0.9, 0.5), strict=True))), LAYOUT.mains)["a"]
    assert shrinking.word == "shrinking"


def test_harm_that_grows_is_growing() -> None:
    tables = logged(np.random.default_rng(4), dict(zip(STEPS, (0.0, -0.2, -0.4, -0.8), strict=True)))
    assert follow(tables, LAYOUT.mains)["a"].word == "growing"


def test_a_change_too_small_to_matter_is_settled() -> None:
    tables = logged(np.random.default_rng(5), dict(zip(STEPS, (0.2, 0.95, 1.0, 1.1), strict=True)), noise=0.01)
    course = follow(tables, LAYOUT.mains)["a"]
    assert course.p_adjusted < 0.001 and course.word == "settled"
    assert described("a", course).startswith("a had all but settled: from step 200 to 400 its effect changed by +0.1")
    tables = logged(np.random.default_rng(5), dict(zip(STEPS, (0.0, 0.1, 0.1, 0.2), strict=True)), noise=0.01)
    assert follow(tables, LAYOUT.mains, minimum=0.15)["a"].word == "settled"
    assert follow(tables, LAYOUT.mains, minimum=0.05)["a"].word == "growing"


def test_settled_is_told_from_not_known_to_have() -> None:
    steady = dict(zip(STEPS, (0.9, 1.0, 1.0, 1.0), strict=True))
    assert described("a", follow(logged(np.random.default_rng(10), steady), LAYOUT.mains)["a"]).startswith(
        "a had settled: from step 200"
    )
    noisy = follow(logged(np.random.default_rng(10), steady, noise=1.0), LAYOUT.mains)["a"]
    assert noisy.word == "settled" and "leaves room for a change that matters" in described("a", noisy)


def test_what_was_not_logged_is_unknown() -> None:
    rng = np.random.default_rng(6)
    assert follow({}, LAYOUT.mains)["a"].word == "unknown"
    assert "was not logged as training went on" in described("a", follow({}, LAYOUT.mains)["a"])
    ends = follow(logged(rng, {0: 0.0, 400: 1.0}), LAYOUT.mains)["a"]
    assert ends.word == "unknown" and "too seldom" in described("a", ends)
    tables = logged(rng, dict.fromkeys(STEPS, 0.5))
    tables[300][1:, 3] = np.nan  # one complete block is left
    assert [step for step, _ in follow(tables, LAYOUT.mains)["a"].points] == [100, 200, 400]


def test_a_trend_is_looked_for_over_at_least_the_last_third() -> None:
    rng = np.random.default_rng(11)

    def since(*steps: int) -> int | None:
        before = follow(logged(rng, dict.fromkeys(steps, 0.5)), LAYOUT.mains)["a"].before
        return before and before[0]

    assert [since(0, 100, 200, 300, 400), since(0, 250, 260, 270, 400), since(0, 300, 400), since(0, 100, 400)] == [
        200,
        260,
        300,
        None,
    ]


def test_blocks_that_lack_a_step_are_left_out_of_the_change() -> None:
    tables = logged(np.random.default_rng(7), dict.fromkeys(STEPS, 0.5))
    tables[200][0, 2] = np.nan
    change = follow(tables, LAYOUT.mains)["a"].change
    assert change is not None and change.df <= 7 * 4


@pytest.mark.parametrize("effect", [0.0, 0.06])
def test_noise_is_seldom_taken_for_a_flip_or_a_trend(effect: float) -> None:
    """A steady effect, none or about one that six seeds find half of the time: any warning of any fix in about 5 % at most."""
    rng = np.random.default_rng(8)
    studies = [follow(logged(rng, dict.fromkeys(STEPS, effect), drift=1.0), LAYOUT.mains) for _ in range(600)]
    words = [[course.word for course in study.values()] for study in studies]
    assert np.mean([bool({"growing", "shrinking"} & set(said)) for said in words]) <= 0.07
    assert np.mean(["flipped" in said for said in words]) <= 0.02


def test_of_many_steps_a_few_are_searched_for_a_flip_the_ends_among_them() -> None:
    rng = np.random.default_rng(9)
    steps = {step: 0.4 if step > 60 else -0.4 for step in range(10, 400)}
    course = follow(logged(rng, steps), LAYOUT.mains)["a"]
    assert course.word == "flipped" and len(course.points) == 390 > MOST_STEPS
