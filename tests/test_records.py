"""Records: whole or missing, curves as they were logged, and one writer."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.engines.base import Result
from ablate.errors import BadInput
from ablate.records import Record, Records, reason
from tests.builders import few


def result(run_id: str = "cell-0", **changes: object) -> Result:
    return Result(**{"run_id": run_id, "state": "completed", "started": 1.5, "seconds": 2.5, "metrics": {"m": 1.0}} | changes)  # type: ignore[arg-type]


def test_a_record_is_read_back_with_where_it_is_known(tmp_path: Path) -> None:
    records = Records(tmp_path)
    kept = records.add(result())
    assert records.load() == {"cell-0": kept} == {"cell-0": Record("cell-0", "completed", 1.5, 2.5, {"m": 1.0})}
    numbered = replace(kept, trial=4)
    records.link([numbered])
    assert records.load_one("cell-0") == numbered
    records.link([replace(numbered, mlflow="abc")])
    assert records.load_one("cell-0") == Records(tmp_path).load()["cell-0"] == replace(kept, trial=4, mlflow="abc")
    assert records.load_one("cell-1") is None


def test_a_metric_that_is_not_finite_is_read_back(tmp_path: Path) -> None:
    Records(tmp_path).add(result(state="diverged", metrics={"m": float("nan"), "n": float("inf")}))
    read = Records(tmp_path).load_one("cell-0")
    assert read is not None
    assert read.state == "diverged"
    assert np.isnan(read.metrics["m"])
    assert np.isinf(read.metrics["n"])


def test_what_was_cut_off_counts_as_missing(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for seed in range(3):
        records.add(result(f"cell-{seed}"))
    path = tmp_path / "runs" / "cell-1.json"
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert set(records.load()) == {"cell-0", "cell-2"}
    path.with_name("cell-9.json.ablate-part").write_bytes(whole)
    path.write_text('{"some": "other JSON"}')
    assert set(records.load()) == {"cell-0", "cell-2"}


def test_nothing_is_left_behind_by_writing(tmp_path: Path) -> None:
    Records(tmp_path).add(result(points=(("m", 0, 1.0),), artifacts={"a.txt": b"kept"}))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "artifacts/cell-0/a.txt",
        "curves/cell-0.parquet",
        "runs/cell-0.json",
    ]
    assert [path.read_bytes() for path in Records(tmp_path).artifacts("cell-0")] == [b"kept"]
    assert Records(tmp_path).artifacts("cell-1") == []


points = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b/c", "ünï"]), st.integers(0, 10**9)), st.floats(allow_nan=False), min_size=1
)


@few
@given(points)
def test_curves_come_back_as_logged(tmp_path: Path, logged: dict[tuple[str, int], float]) -> None:
    records = Records(tmp_path)
    records.add(result(points=tuple((name, step, value) for (name, step), value in logged.items())))
    curve = records.curves("cell-0")
    assert list(curve["step"]) == sorted({step for _, step in logged})
    assert list(curve.columns) == ["step", *sorted({name for name, _ in logged})]
    long = curve.melt("step").dropna()
    assert {(row.variable, row.step): row.value for row in long.itertuples()} == logged


def test_metrics_logged_at_different_steps_share_a_table(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add(result(points=(("b", 2, 1.0), ("a", 0, 2.0), ("b", 0, 3.0), ("b", 2, 4.0), ("a", 1, float("nan")))))
    curve = records.curves("cell-0")
    assert list(curve["step"]) == [0, 1, 2]
    np.testing.assert_array_equal(curve["a"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(curve["b"], [3, np.nan, 4])
    assert records.curves("cell-1").empty
    assert list(records.curves("cell-1").columns) == ["step"]


def test_a_metric_called_step_leaves_the_steps_alone(tmp_path: Path) -> None:
    Records(tmp_path).add(result(points=(("step", 3, 30.0), ("m", 3, 1.0))))
    assert list(Records(tmp_path).curves("cell-0")["step"]) == [3]


def test_a_run_trained_again_keeps_nothing_of_the_time_before(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add(result(state="failed", points=(("m", 0, 1.0),), artifacts={"old": b""}))
    records.add(result(artifacts={"new": b""}))
    assert [path.name for path in records.artifacts("cell-0")] == ["new"]
    assert records.curves("cell-0").empty


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    second = f"from pathlib import Path; from ablate.records import Records\nwith Records(Path({str(tmp_path)!r})).lock(): pass"
    with Records(tmp_path).lock():
        wanted = "--out: .* is being written by process .* on .*, since .*; wait for it"
        with pytest.raises(BadInput, match=wanted), Records(tmp_path).lock():
            pass
        assert b"BadInput: --out" in subprocess.run([sys.executable, "-c", second], capture_output=True).stderr
    with Records(tmp_path).lock():
        pass


def test_what_is_running_is_known_until_its_process_is_gone(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.running() == set()
    records.mark_running(["a-0", "b-0"])
    assert records.running() == {"a-0", "b-0"}
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = tmp_path / "running.json"
    path.write_text(path.read_text().replace(str(os.getpid()), str(gone.pid)))
    assert records.running() == set()
    path.write_text(path.read_text()[:-5])
    assert records.running() == set()


def test_fresh_forgets_every_run(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.add(result(points=(("m", 0, 1.0),), artifacts={"a": b""}))
    records.forget()
    assert records.load() == {}
    assert records.artifacts("cell-0") == []
    assert records.curves("cell-0").empty
    records.forget()


def test_the_reason_is_the_whole_exception_on_one_line() -> None:
    error = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nRuntimeError: boom: l2\nsecond line'
    assert reason(error) == "RuntimeError: boom: l2 second line"
    assert reason("the worker process died") == "the worker process died"
    assert reason("") == ""
