"""A study file runs the one function that it names, and `plan` says which file that came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.target import Declaration, load_target
from benchmarks.fuzzing.drive import here
from tests.builders import raw, write_study


def test_plan_names_the_target_with_its_file(tmp_path: Path) -> None:
    seen = here(["plan", str(write_study(tmp_path, raw()))], limit=60)
    assert seen.wrong == ""
    assert re.search(r"^target +ablate\.targets\.planted:train \(/\S+/ablate/targets/planted\.py\)$", seen.out, re.MULTILINE)


def test_a_script_that_ends_the_process_when_it_is_imported_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ends_at_once.py").write_text("import sys\nsys.exit(7)\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"target: 'ends_at_once:train' fails on import \(SystemExit: 7\); mend that module"):
        load_target("ends_at_once:train")


def test_what_a_function_calls_its_declaration_is_one_or_nothing() -> None:
    assert load_target("unittest.mock:call").declaration == Declaration()
