"""The reader of YAML within its limits: what would take for ever, run code or be no text is one line, at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.study import load_study, parse_value
from ablate.yamlfile import MOST_BYTES, parse_yaml, read_yaml
from tests.shell import ROOT

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "laughs": (LAUGHS, r"holds more than 5,000 values, counting what aliases repeat"),
    "quadratic": ("a: &a [" + "x," * 2000 + "]\nb: [" + "*a," * 2000 + "]", r"holds more than 5,000 values"),
    "merged": ("a: &a {x: 1}\nb: {<<: [" + "*a," * 9000 + "]}", r"holds more than 5,000 values"),
    "many": ("[" + "[]," * 43_000 + "]", r"holds more than 5,000 values"),
    "itself": ("a: &a {b: [*a]}", r"line 1: \*a holds itself; write out what is meant"),
    "merges itself": ("a: &a {<<: *a}", r"line 1: \*a holds itself"),
    "deep": ("[" * 60_000, r"line 1, column 41: holds lists or mappings more than 40 deep; make it flatter"),
    "long": ("#" * (MOST_BYTES + 1), r"is 131,073 bytes long, and a study file may have 131,072"),
    "code": ("a: !!python/object/apply:os.mkdir [ran]", r"line 1, column 4: not valid YAML \(could not determine a constructor"),
    "name of code": ("a: !!python/name:os.mkdir", r"line 1, column 4: not valid YAML \(could not determine"),
    "twice": (
        "name: a\nname: " + "b" * 5000,
        r"line 2, column 1: not valid YAML \(found duplicate key \"name\"\); mend",
    ),
    "large": ("params: {x: [1, 1" + "0" * 400 + "]}", r"params\.x\.1: a whole number of 1329 bits is beyond 64 bits"),
    "hex": ("a: 0x" + "f" * 5000, r"a: a whole number of 20000 bits is beyond 64 bits"),
    "half": ('a: "\\ud800"', r"line 1: '\\ud800' holds the character U\+D800, which is no text; remove it"),
    "NUL": ('a: "\\0"', r"line 1: '\\x00' holds the character U\+0000"),
    "older": ("%YAML 1.1\n---\na: on", r"is of another version of YAML than 1\.2; remove its %YAML line"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_too_much_or_no_study_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=rf"^study\.yaml: {message}") as refused:
        read_yaml(Path("study.yaml"))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300
    assert os.listdir() == ["study.yaml"]


TIMED = """
import sys, time
from ablate.errors import BadInput
from ablate.yamlfile import read_yaml
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        read_yaml(path)
    except BadInput:
        print(time.process_time() - start)
"""


def test_refusing_takes_no_second(tmp_path: Path) -> None:
    """In a process that nothing traces: coverage makes ruamel four times as slow."""
    for name, (text, _) in REFUSED.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")} | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", TIMED, *map(str, sorted(tmp_path.iterdir()))]
    seconds = subprocess.run(words, env=plain, capture_output=True, text=True, check=True).stdout.split()
    assert len(seconds) == len(REFUSED)
    assert max(map(float, seconds)) < 1


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: 1".encode("utf-16"), "it is UTF-16"), (b"\x89PNG\r\n", "byte 0 is not UTF-8"), (b"a: 1\0", "not valid YAML")],
)
def test_what_is_no_utf_8_text_is_said_to_be_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "study.yaml").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_yaml(tmp_path / "study.yaml")


def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(BadInput, match=rf"can't be read \(it is {kind}\); give a YAML text file"):
            read_yaml(path)


def test_honest_anchors_merges_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    text = "\ufeffbase: &base {helps: 0, note: é}\nfirst: *base\nlater: {<<: *base, helps: 1}\n"
    text += "list: &l [on, 0x10, 1_000]\nagain: *l\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    assert read_yaml(tmp_path / "study.yaml") == {
        "base": {"helps": 0, "note": "é"},
        "first": {"helps": 0, "note": "é"},
        "later": {"helps": 1, "note": "é"},
        "list": ["on", 16, 1000],
        "again": ["on", 16, 1000],
    }


def test_the_largest_study_here_is_far_from_the_limits() -> None:
    path = Path(__file__).parents[1] / "studies" / "three_fixes.yaml"
    assert path.stat().st_size < MOST_BYTES / 10
    load_study(path)


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("1e-3", 1e-3), ("on", "on"), ("'5'", "5"), ("a: b: c", "a: b: c"), ("{a: 1}", "{a: 1}")]
)
def test_a_setting_is_read_as_the_study_file_would_be(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_a_setting_that_is_a_bomb_is_a_text() -> None:
    assert parse_value("[" * 30_000) == "[" * 30_000
    assert parse_yaml("1_0") == 10
