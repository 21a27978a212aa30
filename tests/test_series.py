"""Curves as arrays: the values that pandas reads, each file read once, wide ones by column."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ablate import series
from ablate.engines.base import Result
from ablate.records import Records

POINTS = (("b", 1, 0.5), ("a", 0, 1.0), ("a", 2, float("nan")), ("b", 2, float("inf")))


def kept(out: Path) -> Records:
    records = Records(out)
    records.add(Result("cell-0", "completed", 0.0, 1.0, points=POINTS))
    return records


@pytest.mark.parametrize("whole", [0, series.WHOLE])
def test_arrays_are_what_pandas_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: int) -> None:
    monkeypatch.setattr(series, "WHOLE", whole)
    records = kept(tmp_path)
    found, frame = records.series("cell-0"), records.curves("cell-0")
    assert list(found) == list(frame) == ["step", "a", "b"]
    for name in frame:
        np.testing.assert_array_equal(found[name], frame[name].to_numpy(float))
    assert "c" not in found and found.get("c") is None


def test_a_metric_where_it_was_logged(tmp_path: Path) -> None:
    found = kept(tmp_path).series("cell-0")
    steps, values = found.logged("b") or ([], [])
    assert (list(steps), list(values)) == ([1.0], [0.5])
    assert found.logged("c") is None


def test_a_run_that_logged_nothing_is_empty(tmp_path: Path) -> None:
    found = Records(tmp_path).series("cell-1")
    assert list(found) == ["step"] and len(found.steps) == 0


def test_a_file_is_read_once_and_again_where_another_took_its_place(tmp_path: Path) -> None:
    records = kept(tmp_path)
    first, record = records.series("cell-0"), records.load_one("cell-0")
    assert records.series("cell-0") is first and records.load_one("cell-0") is record
    Records(tmp_path).add(Result("cell-0", "completed", 0.0, 2.0, points=(("a", 7, 3.0),)))  # another's hand
    assert records.series("cell-0")["a"].tolist() == [3.0]
    assert records.load()["cell-0"].seconds == 2.0


def test_reading_imports_no_pandas(tmp_path: Path) -> None:
    kept(tmp_path)
    code = "import sys; from pathlib import Path; from ablate.records import Records\n"
    code += f"print(Records(Path({str(tmp_path)!r})).series('cell-0')['a'].tolist(), 'pandas' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[1.0, nan, nan] False\n"
