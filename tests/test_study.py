"""The study reader: what it accepts comes back as written, and what it refuses is one line that names key, value and remedy."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.design import make_plan
from ablate.errors import BadInput
from ablate.sections import Goal
from ablate.statements import Claim
from ablate.study import load_study, override, parse_value
from ablate.target import load_target
from tests.builders import FIXES, few, raw, study, write_study

words = st.text("abcdefgh_", min_size=1, max_size=8)
#: JSON writes what lies beyond as two surrogates, which YAML does not join.
characters = st.characters(min_codepoint=1, max_codepoint=0xFFFF, exclude_categories=["Cs"])
visible = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])
numbers = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
values = st.booleans() | numbers | st.text(characters, max_size=10) | st.none() | st.lists(numbers, max_size=3)


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """A valid study as its file holds it, every section filled."""
    names = draw(st.lists(words, min_size=1, max_size=4, unique=True))
    fixes = {name: {"off": {f"p_{name}": draw(values)}, "on": {f"p_{name}": "changed"}} for name in names}
    swept = draw(st.lists(numbers, min_size=2, max_size=4, unique=True))
    some = draw(st.lists(st.sampled_from(names), unique=True))
    sweep = {"param": draw(words), "values": swept, "fixes": draw(st.sampled_from(["all_on", "all_off", some]))}
    claim = {"name": draw(words), "arm": "+".join(names), "metric": "m", "comparison": draw(st.sampled_from(["<", ">="]))}
    return raw(
        params=draw(st.dictionaries(words, values, max_size=3)),
        fixes=fixes,
        design={"kind": "full_factorial", "seeds": draw(st.integers(2, 50))},
        sweeps={f"swept_{draw(words)}": sweep},
        outcome={"metric": "m", "goal": draw(st.sampled_from(["maximize", "minimize"])), "minimum_effect": draw(st.floats(0, 9))},
        secondary=["seconds", {"metric": "n", "goal": "minimize"}],
        curves=draw(st.lists(words, max_size=2)),
        claims=[{**claim, "value": draw(st.floats(-9, 9)), "reduction": "max", "steps": [1, 3]}],
        resources={"cpus": 2, "gpus": 0.25},
    )


def refused(folder: Path, mapping: Any) -> str:
    """The one line with which a study is refused, without the file's name."""
    path = write_study(folder, mapping)
    with pytest.raises(BadInput) as caught:
        load_study(path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text.removeprefix(f"{path}: ")


@few
@given(studies())
def test_a_study_comes_back_as_written(tmp_path: Path, written: dict[str, Any]) -> None:
    read = load_study(write_study(tmp_path, written))
    again = load_study(write_study(tmp_path, read.model_dump(mode="json")))
    assert again == read
    assert read.params == written["params"]
    assert {name: fix.model_dump(include={"off", "on"}) for name, fix in read.fixes.items()} == written["fixes"]
    assert [fix.off for fix in read.fixes.values()] == [fix["off"] for fix in written["fixes"].values()]
    assert all(type(read.params[key]) is type(value) for key, value in written["params"].items())


def _sections(mapping: Any, key: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every place of a study where keys are the schema's, with its key."""
    found = [("", mapping)] + [(name, mapping[name]) for name in ("design", "outcome", "resources")]
    found += [(f"{name}.{part}", mapping[name][part]) for name in ("fixes", "sweeps") for part in mapping[name]]
    return [*found, ("claims.0", mapping["claims"][0]), ("secondary.1", mapping["secondary"][1])]


@few
@given(studies(), st.text(visible, max_size=12), st.data())
def test_an_unknown_key_anywhere_is_named(tmp_path: Path, written: dict[str, Any], unknown: str, data: st.DataObject) -> None:
    mapping = copy.deepcopy(written)
    where, section = data.draw(st.sampled_from(_sections(mapping)))
    unknown = f"{unknown}_"
    section[unknown] = 1
    key = f"{where}.{unknown}" if where else unknown
    assert refused(tmp_path, mapping).startswith(f"{key}: unknown key; use ")


@pytest.mark.parametrize(
    ("where", "key", "remedy"), [("design", "seed", "'seeds'"), ("outcome", "gaol", "'goal'"), ("resources", "cpu", "'cpus'")]
)
def test_a_misspelt_key_gets_the_nearest_as_remedy(tmp_path: Path, where: str, key: str, remedy: str) -> None:
    section = {"metric": "score", key: 1} if where == "outcome" else {key: 1}
    assert refused(tmp_path, raw(**{where: section})) == f"{where}.{key}: unknown key; use {remedy}"


def test_an_unknown_key_with_a_line_break_is_still_one_line(tmp_path: Path) -> None:
    assert "unknown key" in refused(tmp_path, raw(**{"a\nb": 1}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name is missing; add it"),
        ({"name": "a/b"}, "name: 'a/b' can't be used; it should match pattern"),
        ({"fixes": {}}, "fixes holds 0; give at least 1"),
        ({"fixes": {"a+b": FIXES["good"]}}, r"fixes\.a\+b: the name must not hold '\+' or '\*'"),
        (
            {"fixes": {"a": {"off": {"x": 1}, "on": {"x": 1}}}},
            r"fixes\.a\.on must change at least one param that off sets.*\{'x': 1\}",
        ),
        ({"fixes": {"a": {"off": {"x": 1}, "on": {}}}}, r"fixes\.a\.on must change at least one param"),
        (
            {"fixes": {"a": FIXES["good"], "b": FIXES["good"]}},
            r"fixes\.a and fixes\.b both set 'helps'; give each param to one fix",
        ),
        ({"design": {"seeds": 1}}, r"design\.seeds: 1 can't be used; it should be greater than or equal to 2"),
        ({"design": {"kind": "half"}}, r"design\.kind: 'half' can't be used; it should be 'full_factorial', 'fractional'"),
        ({"outcome": {"metric": "m", "minimum_effect": -1}}, r"outcome\.minimum_effect: -1 can't be used"),
        ({"sweeps": {"s": {"param": "x", "values": [1, 1]}}}, r"sweeps\.s\.values must not repeat a value, but is \[1, 1\]"),
        (
            {"sweeps": {"s": {"param": "x", "values": [1, 2], "fixes": ["god"]}}},
            r"sweeps\.s\.fixes: 'god' is not a fix.*use 'good'",
        ),
        (
            {"claims": [{"name": "c", "arm": "x", "metric": "m", "comparison": "<", "value": 1}]},
            r"claims\.c\.arm: 'x' is not a fix",
        ),
        ({"claims": [{"name": "c", "metric": "m", "comparison": "=", "value": 1}]}, r"claims\.0\.comparison: '=' can't be used"),
        ({"stopping": {"lookz": [4]}}, r"stopping\.lookz: unknown key; use 'looks'"),
        ({"stopping": {"looks": [4, 4]}}, r"stopping\.looks must grow from at least 2, but is \[4, 4\]"),
        ({"contexts": {"small": {"helps": 1}}}, r"contexts\.small\.helps: fixes\.good sets this param"),
        ({"contexts": {"a/b": {}}}, r"contexts\.a/b: the name must be of letters"),
        ({"fixes": {"placebo": FIXES["idle"]}}, "fixes holds placebos alone; propose at least one fix"),
        ({"design": {"kind": "custom"}}, r"design\.arms is missing; name the arms"),
        ({"design": {"arms": ["good", "bad"]}}, r"design\.arms belongs to kind: custom, but kind is full_factorial"),
        ({"design": {"resolution": "V"}}, r"design\.resolution belongs to kind: fractional"),
        (
            {"fixes": {"a": {**FIXES["good"], "changes": {"metric": "m", "steps": [3, 1]}}}},
            r"fixes\.a\.changes must hold steps from a first to a last one, but steps is \[3, 1\]",
        ),
    ],
)
def test_what_is_refused_names_key_value_and_remedy(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    text = refused(tmp_path, raw(**changes))
    with pytest.raises(BadInput, match=f"^{message}"):
        raise BadInput(text)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"params": {"x": {"y": 1}}}, "params.x"),
        ({"sweeps": {"s": {"param": "x", "values": ["a", 1]}}}, "sweeps.s.values.0"),
        ({"sweeps": {"s": {"param": "x", "values": [1, 2], "fixes": "al_on"}}}, "sweeps.s.fixes"),
    ],
)
def test_the_key_is_the_files_own_and_not_the_validators(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    assert refused(tmp_path, raw(**changes)).startswith((f"{key}: ", f"{key} must"))


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": {"metric": "score", "minimum_effect": float("inf")}},
        {"sweeps": {"s": {"param": "helps", "values": [1, float("inf")]}}},
        {"sweeps": {"s": {"param": "helps", "values": [1, float("nan")]}}},
    ],
)
def test_a_number_that_json_can_not_hold_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "study.yaml"
    text = write_study(tmp_path, raw(**changes)).read_text()
    path.write_text(text.replace("Infinity", ".inf").replace("NaN", ".nan"))
    with pytest.raises(BadInput, match=r"(outcome\.minimum_effect|sweeps\.s\.values).*finite"):
        load_study(path)


@pytest.mark.parametrize("name", ["all_on", "all_off"])
def test_a_fix_may_not_be_called_as_an_arm_is(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, raw(fixes={name: FIXES["good"], "bad": FIXES["bad"]})).startswith(f"fixes.{name}")


def test_a_claims_window_must_not_end_before_it_starts(tmp_path: Path) -> None:
    claim = {"name": "c", "metric": "progress", "reduction": "max", "comparison": "<", "value": 1, "steps": [3, 1]}
    assert "[3, 1]" in refused(tmp_path, raw(claims=[claim]))


def test_a_claims_window_says_nothing_of_a_final_metric(tmp_path: Path) -> None:
    claim = {"name": "c", "metric": "score", "comparison": "<", "value": 1, "steps": [1, 3]}
    assert "steps" in refused(tmp_path, raw(claims=[claim]))


BAD_TEXTS = {
    "not yaml": "name: [",
    "a list": "- name",
    "empty": "",
    "two documents": "a: 1\n---\nb: 2",
    "no such anchor": "a: *b",
    "a control character": "a: \x07",
    "an unknown tag": "a: !python/object b",
    "a day that is none": "name: 2020-13-45",
    "an int that is none": "name: !!int abc",
    "a bool that is none": "name: !!bool x",
    "an int of too many digits": f"name: {'9' * 5000}",
    "nested too deeply": "[" * 5000,
    "a repeated key": "name: a\nname: b",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_file_is_bad_input_of_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def _read_and_plan(path: Path) -> None:
    """All that happens between a study file and the first training; only BadInput of one line may come of it."""
    text = "read"
    try:
        read = load_study(path)
        make_plan(read, load_target(read.target))
    except BadInput as error:
        text = str(error)
    assert len(text.splitlines()) == 1


@few
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.yaml").write_bytes(content)
    _read_and_plan(tmp_path / "study.yaml")


WHOLE = (Path(__file__).parents[1] / "studies" / "planted.yaml").read_text(encoding="utf-8")


@few
@given(st.integers(0, len(WHOLE)), st.integers(0, 12), st.text(" \n:-[]{}&*!#'\"a1.+", max_size=6))
def test_a_damaged_study_is_read_or_refused(tmp_path: Path, at: int, lost: int, put: str) -> None:
    (tmp_path / "study.yaml").write_text(WHOLE[:at] + put + WHOLE[at + lost :], encoding="utf-8")
    _read_and_plan(tmp_path / "study.yaml")


def test_a_param_that_has_no_name_in_json_is_refused(tmp_path: Path) -> None:
    for value in ("[{1: a, b: c}]", "[2020-01-01]"):
        path = tmp_path / "study.yaml"
        path.write_text(WHOLE.replace("on: {helps: 1}", f"on: {{helps: {value}}}"), encoding="utf-8")
        with pytest.raises(BadInput, match=r"fixes\.good\.on\.helps"):
            load_study(path)


def test_a_file_that_is_not_there_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml: no such file; `python -m ablate init > .*none\.yaml` writes one"):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(BadInput, match=r"can't be read \(.*give a YAML text file"):
        load_study(tmp_path)


def test_on_and_off_are_words(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(WHOLE.replace("curves:", "params: {steps: on, noise: off, broken: yes}\ncurves:"), encoding="utf-8")
    assert load_study(path).params == {"steps": "on", "noise": "off", "broken": "yes"}


def test_the_command_line_takes_the_place_of_the_file(tmp_path: Path) -> None:
    path = write_study(tmp_path, raw(params={"steps": 5, "noise": 0.1}))
    read = override(load_study(path), {"steps": 7}, seeds=9)
    assert (read.params, read.design.seeds) == ({"steps": 7, "noise": 0.1}, 9)
    with pytest.raises(BadInput, match="seeds: 1 can't be used; it should be greater than or equal to 2"):
        override(load_study(path), {}, seeds=1)
    with pytest.raises(BadInput, match=r"--set helps: fixes\.good sets it both off and on, so it would change nothing"):
        override(load_study(path), {"helps": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("1e-3", 0.001),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("a: [", "a: ["),
        ("2020-01-01", "2020-01-01"),
        ("2020-13-45", "2020-13-45"),
        ("{a: 1}", "{a: 1}"),
    ],
)
def test_values_of_the_command_line_are_read_as_the_file_reads_them(text: str, value: Any) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_an_arm_is_known_by_its_names() -> None:
    made = study()
    assert made.arm("all_on") == {"good", "bad", "idle"}
    assert made.arm("all_off") == frozenset()
    assert made.arm("good + idle") == made.arm("idle+good") == {"good", "idle"}


def test_a_metric_alone_stands_for_a_goal_to_maximize_but_for_time() -> None:
    made = study(secondary=["accuracy", {"metric": "loss", "goal": "minimize"}, "seconds"])
    assert made.secondary[:2] == [Goal(metric="accuracy"), Goal(metric="loss", goal="minimize")]
    assert [goal.sign for goal in made.secondary] == [1, -1, -1]


def test_a_sweep_and_a_fix_must_not_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"sweeps\.good: a fix has this name; give the sweep another"):
        study(sweeps={"good": {"param": "x", "values": [1, 2]}})


def test_a_claim_reads_as_a_sentence() -> None:
    claim = Claim(name="c", metric="m", reduction="max", steps=[1, 9], comparison=">=", value=10)
    assert claim.expected == "max of m over steps 1–9 >= 10"
    assert Claim(name="c", metric="m", comparison="<", value=0.5).expected == "m < 0.5"
