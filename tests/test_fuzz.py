"""A short run of `benchmarks/fuzz.py`: generated study files and damaged data through the real command line."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz import fuzzing
from benchmarks.fuzzing.drive import Seen

SEED = 6


def test_broken_input_ends_in_one_line_and_nothing_else(tmp_path: Path) -> None:
    with fuzzing(tmp_path) as fuzz:
        fuzz.studies(300, SEED)
        fuzz.rows(300, SEED)
    assert {wrong: content for wrong, (content, _, _) in fuzz.findings.items()} == {}
    seen = fuzz.tallies.values()
    assert sum(tally.inputs for tally in seen) >= 590
    assert sum(tally.ends[0] for tally in seen) > 100, "most inputs are refused at the door, and try nothing behind it"
    assert sum(tally.lines for tally in seen) > 100
    assert sum(tally.apart for tally in seen) >= 2


def test_what_is_wrong_with_an_end_is_seen() -> None:
    good = Seen(2, "", "error: a\n", 1)
    assert good.wrong == ""
    assert Seen(0, "table", "warning: b\n", 1).wrong == ""
    for code, out, err in [(1, "", ""), (2, "", "error: a\nb\n"), (2, "", ""), (2, "x", "error: a\n"), (0, "", "error: a\n")]:
        assert Seen(code, out, err, 1).wrong
    assert Seen(2, "", f"error: {'x' * 1000}\n", 1).wrong == "a line of 1007 characters"
    assert Seen(2, "", "error: \x1b[2J\n", 1).wrong == "a control character in a message"
    assert Seen(None, "", "", 1, "Traceback\nKeyError: 'x'\n").wrong == "KeyError: 'x'"
