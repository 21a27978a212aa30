"""The planner: every run once, ids that depend on what is trained and on nothing else, and whole blocks first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.analysis.layout import full_factorial
from ablate.design import Plan, arm_label, make_plan
from ablate.errors import BadInput
from ablate.target import Metric
from tests.builders import few, open_plan, plan, study, target

VALUES = st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=3) | st.booleans()
PARAMS = st.dictionaries(st.sampled_from("uvwxyz"), VALUES, max_size=4)


@st.composite
def designs(draw: st.DrawFn) -> dict[str, Any]:
    """Fixes over params of their own, shared params, seeds, and sweeps that may meet the design's cells."""
    count = draw(st.integers(1, 4))
    fixes = {f"f{i}": {"off": {f"p{i}": 0, f"q{i}": "a"}, "on": {f"q{i}": "b", f"p{i}": 1}} for i in range(count)}
    swept = st.lists(st.integers(-1, 3), min_size=2, max_size=5, unique=True)
    where = st.sampled_from(["all_on", "all_off", ["f0"]])
    sweeps = {
        name: {"param": "p0", "values": draw(swept), "fixes": draw(where), "seeds": draw(st.integers(2, 4))}
        for name in draw(st.lists(st.sampled_from(["one", "two"]), unique=True))
    }
    return {"fixes": fixes, "params": draw(PARAMS), "design": {"seeds": draw(st.integers(2, 4))}, "sweeps": sweeps}


@few
@given(designs())
def test_every_run_is_planned_once_and_whole_blocks_come_first(changes: dict[str, Any]) -> None:
    made = open_plan(**changes)
    arms, seeds = made.arm_ids(), made.seeds
    pairs = [(run.seed, run.cell.id) for run in made.runs]
    assert pairs[: seeds * len(arms)] == [(seed, arm) for seed in range(seeds) for arm in arms]
    points = {(seed, point.cell) for points in made.sweeps.values() for point in points for seed in range(point.seeds)}
    assert len(pairs) == len(set(pairs)) == len({run.id for run in made.runs})
    assert set(pairs) == set(pairs[: seeds * len(arms)]) | points


@few
@given(designs())
def test_arms_are_distinct_cells_in_yates_order(changes: dict[str, Any]) -> None:
    made = open_plan(**changes)
    count = len(made.fixes)
    assert len(set(made.arm_ids())) == 2**count
    for index, key in enumerate(made.arm_ids()):
        on = {name: bool(index >> bit & 1) for bit, name in enumerate(made.fixes)}
        assert made.cells[key].fixes == on
        assert all(made.cells[key].params[f"p{bit}"] == index >> bit & 1 for bit in range(count))


@few
@given(designs(), st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_the_order_of_writing(changes: dict[str, Any], random: Any) -> None:
    def shuffled(mapping: Mapping[str, Any]) -> dict[str, Any]:
        return dict(random.sample(list(mapping.items()), len(mapping)))

    fixes = {name: {state: shuffled(params) for state, params in fix.items()} for name, fix in changes["fixes"].items()}
    made = open_plan(**changes)
    params = open_plan(**changes | {"fixes": fixes, "params": shuffled(changes["params"])})
    assert [run.id for run in params.runs] == [run.id for run in made.runs]
    turned = open_plan(**changes | {"fixes": shuffled(fixes)})
    assert turned.arms == made.arms
    assert {run.id for run in turned.runs} == {run.id for run in made.runs}


@few
@given(designs(), st.sampled_from("uvwxyz"))
def test_another_param_is_another_cell(changes: dict[str, Any], param: str) -> None:
    before = open_plan(**changes)
    after = open_plan(**changes | {"params": changes["params"] | {param: "another value"}})
    assert not set(before.cells) & set(after.cells)


def test_ids_tell_targets_versions_and_values_apart() -> None:
    plans = [open_plan(), open_plan({"version": 2}), open_plan(params={"x": 1}), open_plan(params={"x": "1"}), plan()]
    assert len({plan.arm_ids()[0] for plan in plans}) == len(plans)


def test_ids_stay_the_same_over_releases_so_that_studies_resume() -> None:
    fixes = {"a": {"off": {"x": "low"}, "on": {"x": "high"}}}
    assert open_plan(fixes=fixes, params={"y": False}).arm_ids() == GOLDEN


GOLDEN = ["a7cd9da360c1", "67e1242ee096"]


@few
@given(designs())
def test_a_sweep_point_that_equals_an_arm_is_trained_once(changes: dict[str, Any]) -> None:
    made = open_plan(**changes)
    for name, points in made.sweeps.items():
        held = study(**changes).sweeps[name].fixes
        on = made.study.arm(held) if isinstance(held, str) else frozenset(held)
        for point in points:
            if point.value in (0, 1) and (point.value == 1) == ("f0" in on):
                assert point.cell == made.arms[on]
                assert made.cells[point.cell].label == arm_label(on, made.fixes)
            else:
                assert point.cell not in made.arms.values()


def test_points_come_by_value_with_their_seeds() -> None:
    made = plan(sweeps={"dose": {"param": "helps", "values": [2, 0.5, 1], "seeds": 3}}, design={"seeds": 2})
    assert [(point.value, point.seeds) for point in made.sweeps["dose"]] == [(0.5, 3), (1, 3), (2, 3)]
    assert made.sweeps["dose"][1].cell == made.arms[frozenset(made.fixes)]
    assert len(made.cells) == 10
    assert len(made.runs) == 8 * 2 + 2 * 3 + 1
    assert [run.seed for run in made.runs[16:]] == [0, 0, 1, 1, 2, 2, 2]


def test_an_int_and_the_same_float_are_one_cell() -> None:
    made = plan(sweeps={"dose": {"param": "helps", "values": [0.5, 1.0], "seeds": 2}})
    assert made.sweeps["dose"][1].cell == made.arms[frozenset(made.fixes)]


def _aliases(params: Mapping[str, Any]) -> dict[str, Any]:
    """`exp` is another name of `log`: 2 ** log."""
    rest = {key: value for key, value in params.items() if key not in ("log", "exp")}
    return {**rest, "log": params["exp"].bit_length() - 1 if "exp" in params else params.get("log", 0)}


def test_whole_numbers_that_no_float_tells_apart_are_two_cells() -> None:
    ids = {open_plan(params={"x": x}).arm_ids()[0] for x in (2**53, 2**53 + 1, 2**64 - 1)}
    assert len(ids) == 3


def test_a_target_that_resolves_aliases_shares_their_cells() -> None:
    fixes = {"scale": {"off": {"log": 0}, "on": {"log": 3}}}
    made = open_plan({"resolve": _aliases}, fixes=fixes, sweeps={"swept": {"param": "exp", "values": [2, 8], "seeds": 2}})
    low, high = made.sweeps["swept"]
    assert high.cell == made.arms[frozenset({"scale"})]
    assert low.cell not in made.arms.values()
    assert made.cells[low.cell].params == {"log": 1}
    assert made.cells[low.cell].label == "swept=2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"fixes": {"a": {"off": {"log": 3}, "on": {"exp": 8}}}},
            "fixes: a changes nothing: off and on resolve to the same params",
        ),
        (
            {
                "fixes": {"a": {"off": {"log": 3}, "on": {"log": 0}}},
                "sweeps": {"s": {"param": "log", "values": [1, 2]}},
                "params": {"exp": 1},
            },
            "fixes: a changes nothing",
        ),
        (
            {"fixes": {"a": {"off": {"b": 3}, "on": {"b": 0}}}, "sweeps": {"s": {"param": "exp", "values": [4, 5]}}},
            r"sweeps\.s\.param: 'exp' changes nothing between some of \[4, 5\]; name another param",
        ),
    ],
)
def test_what_changes_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        open_plan({"resolve": _aliases}, **changes)


CLAIM = {"name": "c", "metric": "progres", "comparison": "<", "value": 1}
METRICS = {
    "loss": Metric("raw", final=True, incomparable="the candidates differ", twin="top1"),
    "top1": Metric("held out", final=True, step=True),
    "norm": Metric("gradient", final=True, incomparable="by design"),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"params": {"step": 1}}, r"params\.step: 'step' is not a param of .*planted:train; use 'steps'"),
        ({"fixes": {"f": {"off": {}, "on": {"helpz": 1}}}}, r"fixes\.f\.on\.helpz: 'helpz' is not a param of .*; use 'helps'"),
        ({"sweeps": {"s": {"param": "help", "values": [1, 2]}}}, r"sweeps\.s\.param: 'help' is not a param of .*; use 'helps'"),
        ({"outcome": {"metric": "scores"}}, r"outcome\.metric: 'scores' is never reported by .*; use 'score'"),
        ({"outcome": {"metric": "progress"}}, r"outcome\.metric: 'progress' is never reported"),
        ({"secondary": ["x"]}, r"secondary: 'x' is never reported by .*; use one of: score, seconds"),
        ({"curves": ["seconds"]}, r"curves: 'seconds' is never reported by .*; use one of: progress, score"),
        ({"claims": [CLAIM | {"reduction": "max"}]}, r"claims\.c\.metric: 'progres' is never reported by .*; use 'progress'"),
    ],
)
def test_what_the_target_does_not_know_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        plan(**changes)


def test_an_incomparable_outcome_is_refused_with_its_twin() -> None:
    with pytest.raises(BadInput, match=r"'loss' can't be compared across arms \(the candidates differ\); use top1"):
        open_plan({"metrics": METRICS}, outcome={"metric": "loss"})
    with pytest.raises(BadInput, match=r"'norm' can't be compared across arms \(by design\); use another metric"):
        open_plan({"metrics": METRICS}, outcome={"metric": "top1"}, secondary=["norm"])
    assert open_plan({"metrics": METRICS}, outcome={"metric": "top1"}, secondary=["seconds"]).fixes == ["good", "bad", "idle"]


def test_a_quick_plan_is_smaller_and_never_shares_a_store() -> None:
    changes = {"sweeps": {"s": {"param": "helps", "values": [5, 4, 3, 2, 7], "seeds": 9}}, "params": {"steps": 50}}
    made: Plan = make_plan(study(**changes), target(quick={"steps": 3}), quick=True)
    assert (made.name, made.quick, made.seeds) == ("trial-quick", True, 2)
    assert [(point.value, point.seeds) for point in made.sweeps["s"]] == [(2, 2), (4, 2), (7, 2)]
    assert all(cell.params["steps"] == 3 for cell in made.cells.values())
    assert plan().name == "trial"
    assert not plan().quick


def test_arms_are_labelled_as_a_person_reads_them() -> None:
    fixes = ["a", "b"]
    made = full_factorial(fixes)
    assert made.arms == (frozenset(), frozenset("a"), frozenset("b"), frozenset("ab"))
    assert [arm_label(arm, fixes) for arm in made.arms] == made.labels == ["all off", "a", "b", "all on"]
    assert arm_label({"c", "a"}, ["a", "b", "c"]) == "a+c"
    assert arm_label({"a"}, ["a"]) == "a"
    assert [run.name for run in plan().runs[:2]] == ["all off · seed 0", "good · seed 0"]
