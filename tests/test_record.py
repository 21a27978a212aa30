"""What a record's file holds is what was written, or it counts as damaged: no traceback, and no number that another hand put."""

import json
import math
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import BadInput
from ablate.intact import damages, mend
from ablate.record import Record, as_json, from_json
from ablate.records import Records
from tests.builders import few
from tests.test_files import result

WHOLE = Record("cell-0", "completed", 1.5, 2.5, {"m": 0.1, "n": 3.0, "o": -math.inf}, "ü", 4, "abc", files={"curves": (9, 7)})
PROFILED = replace(WHOLE, worker="12-ab", cpu=2.25, phases={"forward": 1.5, "other": 1.0})
#: What a record of schema 3 did not have.
LATER = ("worker", "cpu", "phases", "steps", "shared", "shared_seconds")


def before(**changes):
    """A record's file of before the checksum."""
    held = json.loads(as_json(WHOLE))
    del held["crc"]
    return json.dumps(held | {"schema": 2} | changes).encode()


def test_a_record_comes_back_as_written():
    assert from_json(as_json(WHOLE), "x") == WHOLE
    assert from_json(before(), "x") == WHOLE
    assert from_json(json.dumps(json.loads(as_json(WHOLE))).encode(), "x") == WHOLE  # laid out otherwise
    nan = Record("cell-0", "diverged", 1.5, 2.5, {"m": math.nan})
    assert math.isnan(from_json(as_json(nan), "x").metrics["m"])


def test_where_the_time_went_comes_back_and_records_of_before_had_no_such_thing():
    assert from_json(as_json(PROFILED), "x") == PROFILED
    held = {key: value for key, value in json.loads(as_json(WHOLE)).items() if key not in (*LATER, "crc")} | {"schema": 3}
    assert from_json(json.dumps({**held, "crc": zlib.crc32(json.dumps(held).encode())}).encode(), "x") == WHOLE
    with pytest.raises(ValueError, match="its record was changed"):
        from_json(json.dumps(held).encode(), "x")  # they had a checksum


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", []),
        ("files", None),
        ("files", {"curves": 3}),
        ("files", {"curves": [1, None]}),
        ("files", {"curves": [-1, 2]}),
        ("metrics", None),
        ("metrics", ["m"]),
        ("metrics", {"m": None}),
        ("metrics", {"m": "1"}),
        ("metrics", {"m": 10**400}),
        ("started", "x"),
        ("started", True),
        ("started", math.nan),
        ("started", 1e300),
        ("seconds", None),
        ("seconds", math.inf),
        ("state", "foo"),
        ("state", []),
        ("run_id", 7),
        ("error", None),
        ("trial", "4"),
        ("mlflow", 3),
        ("device", None),
        ("attempts", 1.5),
        ("worker", None),
        ("cpu", -1.0),
        ("phases", {"forward": math.nan}),
        ("phases", ["forward"]),
        ("steps", -1),
        ("shared", "3"),
        ("shared_seconds", math.inf),
    ],
)
def test_a_value_of_another_type_is_damage_and_is_put_aside(tmp_path, key, value):
    records = Records(tmp_path)
    records.add(result("cell-0"))
    records.add(result("cell-1"))
    (tmp_path / "runs" / "cell-0.json").write_bytes(before(**{"files": {}, key: value}))
    assert damages(records) == {"cell-0": f"{key} of its record can't be read"}
    assert set(Records(tmp_path).load()) == {"cell-1"}
    with pytest.warns(UserWarning, match="1 run damaged"):
        mend(records)
    assert (tmp_path / "damaged" / "cell-0.1" / "record.json").exists()


def test_a_record_of_before_runs_shared_anything_is_read_and_one_without_its_checksum_is_damage():
    held = json.loads(as_json(WHOLE))
    third = {key: value for key, value in held.items() if key not in ("crc", "steps", "shared", "shared_seconds")} | {"schema": 3}
    with pytest.raises(ValueError, match="its record was changed"):
        from_json(json.dumps(third).encode(), "x")
    crc = zlib.crc32(json.dumps(third).encode())
    assert from_json(json.dumps(third | {"crc": crc}).encode(), "x") == WHOLE


def test_a_run_ended_when_what_it_did_itself_was_done():
    shared = Record("cell-0", "completed", 100.0, 9.0, steps=400, shared=100, shared_seconds=2.5)
    assert (shared.spent, shared.ended) == (6.5, 106.5)
    assert from_json(as_json(shared), "x") == shared


def test_a_number_that_was_changed_is_damage():
    held = json.loads(as_json(WHOLE))
    for changed in (held | {"metrics": {**held["metrics"], "m": 0.2}}, held | {"peak": 1}, held | {"crc": None}):
        with pytest.raises(ValueError, match="its record was changed"):
            from_json(json.dumps(changed).encode(), "x")
    for newer in (held | {"schema": 99}, json.loads(before(peak=1))):
        with pytest.raises(BadInput, match="newer ablate"):
            from_json(json.dumps(newer).encode(), "x")
    with pytest.raises(ValueError, match="it holds no record"):
        from_json(b"[" * 100_000, "x")


@few
@given(st.integers(0, 8 * len(as_json(WHOLE)) - 1))
def test_a_flipped_bit_changes_nothing_unnoticed(bit):
    content = bytearray(as_json(WHOLE))
    content[bit // 8] ^= 1 << bit % 8
    with suppress(ValueError, BadInput):
        assert from_json(bytes(content), "x") == WHOLE  # between two values
