"""Names that stores, figures and pages would trip over or merge: refused, or told apart, with nothing lost."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from mlflow.utils.validation import _validate_metric_name, _validate_tag_name

from ablate.errors import BadInput
from ablate.report.gallery import _file
from ablate.study import load_study
from ablate.tracking.store import client, key
from tests.builders import FIXES, raw, write_study
from tests.stored import carry_out

ODD = ["acc", "acc@1", "acc_1", "a/b", "a/./b", "a//b", "../../up", "..", "", "x" * 1000, "x" * 1001, "a'b`", "\0", "漢", "Acc"]


def test_no_two_names_become_one_key_of_mlflow_or_one_file() -> None:
    assert len({key(name) for name in ODD}) == len(ODD)
    for name in ODD:
        _validate_metric_name(f"{key(name)}_mean")
        _validate_tag_name(key(name))
    files = [_file(name).casefold() for name in ODD]
    assert len(set(files)) == len(ODD)
    assert all(name.isascii() and len(name) < 100 and not set(name) & set("/.\0 ") for name in files)
    assert key("train/loss") == "train/loss" and _file("train/loss") == "curve-train-loss"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../x"}, r"name: '\.\./x' can't be used"),
        ({"name": "a."}, r"name must not end in a dot, but is 'a\.'"),
        ({"name": "nul.x"}, r"name must be a name that a folder can have, but is 'nul\.x', which Windows keeps for a device"),
        ({"name": "a-quick"}, r"name must not end in -quick, but is 'a-quick': so the runs of --quick are kept"),
        ({"name": "x" * 300}, r"name: 'x+ … x+' can't be used; it should have at most 100 characters"),
        ({"fixes": {"": FIXES["good"]}}, r"fixes\. must be a name with no blanks around it, but is ''"),
        ({"fixes": {"a\nb": FIXES["good"]}}, r"fixes\.a b must be of visible characters on one line, but is 'a\\nb'"),
        ({"fixes": {"\u202ea": FIXES["good"]}}, r"fixes\.\S+ must be of visible characters"),
        ({"fixes": {"f" * 121: FIXES["good"]}}, r"fixes\.f+ … f+ must have at most 120 characters, but 'f+ … f+' has 121"),
        ({"curves": ["step"]}, r"curves\.0 must be another name than step"),
        ({"params": {" x": 1}}, r"params\. x must be a name with no blanks around it"),
    ],
)
def test_a_name_that_can_not_be_made_safe_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        load_study(write_study(tmp_path, raw(**changes)))
    assert len(str(refused.value).removeprefix(str(tmp_path))) < 300


TRAINING = r"""
import numpy as np
def train(params, run):
    run.log_metrics({"acc@1": 1, "acc_1": 2, "nul\0x": 3, "line\nx": 4, "l" * 1000: 5, "\ud800": 6, "../../up": 7, "": 8}, 0)
    if params.get("x") == "broken":
        raise RuntimeError("\x1b[31mred\x1b[0m \ud800 漢")
    score = sum(params[name] for name in ("p", "q")) + 0.1 * np.random.default_rng([run.seed, params["p"], params["q"]]).normal()
    return {"sco're": score, "acc@1": 1, "acc_1": 2, "state": 3, "run_id": 4, "nul\0x": 5, "l" * 1000: 6, "..": 7}
"""


def test_a_study_of_odd_names_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("oddly_named.py").write_text(TRAINING, encoding="utf-8")
    fixes = {
        "a'b`": {"off": {"p": 0}, "on": {"p": 1}},
        "<b>#漢</script>": {"off": {"q": 0, "note": "\x1b[31m"}, "on": {"q": 1, "note": "</script>"}},
    }
    goal = {"metric": "sco're"}
    study = raw(name="odd", target="oddly_named:train", fixes=fixes, outcome=goal, curves=["acc@1", "acc_1"], design={"seeds": 3})
    study["contexts"] = {"wide": {"x": "broken"}}
    records = carry_out(study, tmp_path / "out", f"sqlite:///{tmp_path}/mlflow.db")
    kept = records.load().values()
    assert sum(record.state == "completed" for record in kept) == 12
    assert {"RuntimeError: red \ufffd 漢" in record.error for record in kept if record.state == "failed"} == {True}
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<b>#漢</script>" not in page
    with open(tmp_path / "out" / "runs.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    done = [row for row in rows if row["state"] == "completed"]
    assert len(rows) == 24 and len(done) == 12
    assert {(row["metric.state"], row["metric.run_id"], row["acc@1"], row["acc_1"]) for row in done} == {
        ("3.0", "4.0", "1.0", "2.0")
    }
    store = client(f"sqlite:///{tmp_path}/mlflow.db")
    run = store.get_run(next(record.mlflow for record in kept if record.state == "completed"))
    assert (run.data.metrics[key("acc@1")], run.data.metrics["acc_1"]) == (1, 2)
    assert run.data.metrics[key("l" * 1000)] == 6
    assert {name for name in run.data.tags if name.startswith("fix.")} == {key(f"fix.{name}") for name in fixes}
    assert not list(tmp_path.rglob("up*"))
