"""Where runs are known: a file that grows by a line each, and tells nothing false whatever happens to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablate.links import FILE, Links
from ablate.record import Record
from ablate.records import Records
from tests.test_records import result


def record(number: int, **changes: object) -> Record:
    return replace(Record(f"cell-{number}", "completed", 1.5, 2.5, {"m": 1.0}), **changes)  # type: ignore[arg-type]


def test_the_last_line_counts_and_of_another_attempt_none_does(tmp_path: Path) -> None:
    links = Links(tmp_path)
    links.add([record(0, trial=1), record(1, trial=2)])
    links.add([record(0, trial=3, mlflow="abc")])
    for each in (links, Links(tmp_path)):
        each.refresh()
        assert each.of(record(0)) == record(0, trial=3, mlflow="abc")
        assert each.of(record(1, started=9.0)) == record(1, started=9.0)
        assert each.of(record(2, trial=7)) == record(2, trial=7)


def test_what_another_process_adds_is_read_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    reader, writer = Links(tmp_path), Links(tmp_path)
    for number in range(3):
        writer.add([record(number, trial=number)])
        reader.refresh()
        assert [reader.of(record(each)).trial for each in range(3)] == [each if each <= number else None for each in range(3)]
    (tmp_path / FILE).unlink()
    reader.refresh()
    assert reader.of(record(0)) == record(0)


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    Links(tmp_path).add([record(0, trial=1), record(1, trial=2)])
    whole = (tmp_path / FILE).read_bytes()
    for length in range(len(whole)):
        (tmp_path / FILE).write_bytes(whole[:length])
        links = Links(tmp_path)
        links.add([record(2, trial=3)])
        assert links.of(record(2)).trial == 3
        assert links.of(record(0)).trial in (None, 1)
        assert links.of(record(1)).trial in (None, 2)


@pytest.mark.parametrize("line", [b"[]", b'{"run_id": "cell-0"}', b"\xff\xfe", b"[" * 9000, b'{"trial": 4, "run_id": "cell-0"}'])
def test_other_contents_say_nothing(tmp_path: Path, line: bytes) -> None:
    (tmp_path / FILE).write_bytes(line + b"\n")
    links = Links(tmp_path)
    links.refresh()
    assert links.of(record(0)) == record(0)


def test_it_is_written_anew_where_it_has_grown_long_and_says_the_same(tmp_path: Path) -> None:
    links = Links(tmp_path)
    for number in range(100):
        links.add([record(0, trial=number)])
    long = (tmp_path / FILE).stat().st_size
    links.tidy()
    assert (tmp_path / FILE).stat().st_size < long / 50
    links.add([record(1, trial=5)])
    assert [Links(tmp_path).of(record(0)), links.of(record(0)), links.of(record(1))] == [
        record(0),
        record(0, trial=99),
        record(1, trial=5),
    ]


def test_a_run_that_is_trained_again_is_known_nowhere(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.link([replace(records.add(result()), trial=4, mlflow="abc")])
    again = records.add(result())  # at the same time, by the clock
    assert (again.trial, again.mlflow) == (None, None)
    assert records.load_one("cell-0") == Records(tmp_path).load_one("cell-0") == again
    records.link([replace(again, trial=6)])
    records.forget()
    assert not (tmp_path / FILE).exists()
