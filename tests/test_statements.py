"""Symptoms and claims in a study file: what is refused, in which words, and how they read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import BadInput
from ablate.statements import Claim, Share, Symptom
from ablate.study import Study, load_study
from tests.builders import plan, raw, study, write_study

GOOD = {"name": "s", "metric": "progress"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reportd": 1}, r"symptoms\.0\.reportd: unknown key; use 'reported'"),
        ({"fix": "god"}, r"symptoms\.s\.fix: 'god' is not a fix of this study; use 'good'"),
        ({"reduction": "mode"}, r"symptoms\.0\.reduction: 'mode' can't be used"),
        ({"steps": [3, 1]}, r"symptoms\.s\.steps must be \[first, last\], but is \[3, 1\]"),
        ({"comparison": "<"}, r"symptoms\.s: comparison and value go together; give both or neither"),
        ({"value": 3}, r"symptoms\.s: comparison and value go together"),
        ({"reduction": "count"}, r"symptoms\.s\.comparison is missing; say which steps are counted"),
        ({"reduction": "values", "comparison": "<", "value": 1}, r"symptoms\.s\.comparison says nothing of a table of values"),
        ({"reported": [1, 2]}, r"symptoms\.0\.reported must be a number, a list of at least 3 numbers, .* but is \[1, 2\]"),
        ({"reported": "a lot"}, r"symptoms\.0\.reported must be a number.*'a lot'"),
        ({"reported": {"count": 5, "of": 3}}, r"symptoms\.0\.reported must be a number.*'of': 3"),
        ({"reported": {"count": 5, "off": 9}}, r"symptoms\.0\.reported must be a number"),
        ({"reported": {}}, r"symptoms\.0\.reported must be a number"),
        ({"reported": True}, r"symptoms\.0\.reported must be a number"),
        ({"reported": {"count": 1, "of": 3}}, r"symptoms\.s\.reported must be one number or a list beside reduction: last"),
        (
            {"reduction": "count", "comparison": ">", "value": 0, "reported": 3},
            r"symptoms\.s\.reported must be \{count: …, of: …\} beside reduction: count",
        ),
        ({"reduction": "values", "reported": 3}, r"symptoms\.s\.reported must map values to counts"),
        ({"reduction": "max", "reported": [1, 2, 3]}, r"symptoms\.s\.reported is a list of typical values, which max is not"),
        ({"digits": -1}, r"symptoms\.0\.digits: -1 can't be used"),
        ({"set": True}, r"symptoms\.s\.set is about a figure that was reported; give reported, or remove set"),
    ],
)
def test_what_is_refused_names_key_value_and_remedy(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_study(tmp_path, raw(symptoms=[GOOD | changes]))
    with pytest.raises(BadInput, match=message) as refused:
        load_study(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("reduction", "reported", "read"),
    [
        ("last", 1, 1),
        ("median", [1, 2, 3], [1, 2, 3]),
        ("count", {"count": 34, "of": 134}, Share(count=34, of=134)),
        ("values", {"4": 114, "5": 11}, {4: 114, 5: 11}),
        ("last", None, None),
    ],
)
def test_what_was_reported_is_read_and_comes_back(tmp_path: Path, reduction: str, reported: Any, read: Any) -> None:
    counted = {"comparison": ">", "value": 0} if reduction == "count" else {}
    loaded = load_study(write_study(tmp_path, raw(symptoms=[GOOD | counted | {"reduction": reduction, "reported": reported}])))
    assert loaded.symptoms[0].reported == read
    assert Study.model_validate(loaded.model_dump()) == loaded
    assert Study.model_validate_json(loaded.model_dump_json()) == loaded


def test_a_metric_that_the_target_never_logs_is_refused() -> None:
    with pytest.raises(BadInput, match=r"symptoms\.s\.metric: 'scare' is never reported by .*; use 'score'"):
        plan(symptoms=[GOOD | {"metric": "scare"}])
    with pytest.raises(BadInput, match=r"symptoms\.s\.where: 'progres' is never reported by .*; use 'progress'"):
        plan(symptoms=[GOOD | {"where": {"progres": 1}}])


def test_a_claim_against_an_arm_that_is_none_is_refused(tmp_path: Path) -> None:
    claim = {"name": "c", "metric": "score", "comparison": ">", "value": 0, "against": "godo"}
    with pytest.raises(BadInput, match=r"claims\.c\.against: 'godo' is not a fix of this study; use 'good'"):
        load_study(write_study(tmp_path, raw(claims=[claim])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"reduction": "max", "by": 9},
            r"claims\.c\.by is about a final metric, but reduction is max; use steps, or reduction: fi",
        ),
        ({"by": -1}, r"claims\.0\.by: -1 can't be used"),
        (
            {"reduction": "growth"},
            r"claims\.c\.steps is missing; growth is over at least two steps, for example steps: \[0, 79\]",
        ),
        ({"reduction": "growth", "steps": [3, 3]}, r"claims\.c\.steps is missing; growth is over at least two steps"),
    ],
)
def test_a_claim_that_does_not_fit_its_reduction_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    claim = {"name": "c", "metric": "progress", "comparison": ">", "value": 0}
    with pytest.raises(BadInput, match=message):
        load_study(write_study(tmp_path, raw(claims=[claim | changes])))


def test_they_read_as_sentences() -> None:
    claim = Claim(name="c", against="all_off", metric="m", reduction="max", steps=[0, 79], comparison=">", value=0)
    assert claim.expected == "max of m over steps 0–79, less that of all off > 0"
    other = claim.model_copy(update={"against": "my_fix+b", "reduction": "final", "steps": None})
    assert other.expected == "m, less that of my_fix+b > 0"
    assert other.model_copy(update={"by": 55}).expected == "m by step 55, less that of my_fix+b > 0"
    assert Symptom(**GOOD, steps=[100, 100]).what == "last of progress at step 100"
    counted = Symptom(**GOOD, reduction="count", comparison=">", value=0, where={"a": 1, "b": 4})
    assert counted.what == "steps with progress > 0 where a = 1 and b = 4"
    assert Symptom(**GOOD, reduction="values", steps=[0, 9]).what == "values of progress over steps 0–9"


def test_the_schema_knows_symptoms() -> None:
    schema = Study.model_json_schema()
    section = schema["$defs"]["Symptom"]
    assert schema["properties"]["symptoms"]["items"] == {"$ref": "#/$defs/Symptom"}
    assert set(section["required"]) == {"name", "metric"} and section["additionalProperties"] is False
    assert {"type": "number"} in section["properties"]["reported"]["anyOf"]
    assert json.dumps(section)


def test_a_study_needs_no_symptoms() -> None:
    assert study().symptoms == []
