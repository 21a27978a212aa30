"""Sittings: what is noted of where and by what runs were trained, and what is not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ablate.engines.base import Result, Task, device_name, execute
from ablate.records import Record, Records
from ablate.sittings import Commit, commit_of, sitting, sittings


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def note(records: Records, study: Path, command: str = "python -m ablate run study.yaml", fails: bool = False) -> None:
    with sitting(records, study, command, "python -m ablate report study.yaml", "ray", 4, "cuda"):
        assert sittings(records)[-1].ended == ""
        if fails:
            raise KeyboardInterrupt


def test_a_commit_is_told_with_what_changed_since(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("name: a\n")
    assert commit_of(study) == Commit() and Commit().said == ""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "empty")
    assert commit_of(study).changed and commit_of(tmp_path) == Commit()  # nothing of it is in the checkout
    git(tmp_path, "add", "study.yaml")
    git(tmp_path, "commit", "-q", "-m", "study")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(study) == commit_of(tmp_path) == Commit(head) and Commit(head).said == head[:12]
    study.write_text("name: b\n")
    assert commit_of(study) == Commit(head, changed=True) and commit_of(study).said.endswith(", changed since")


def test_sittings_add_up_and_an_interrupted_one_has_its_end(tmp_path: Path) -> None:
    records = Records(tmp_path)
    note(records, tmp_path / "study.yaml")
    with pytest.raises(KeyboardInterrupt):
        note(
            records,
            tmp_path / "study.yaml",
            "python -m ablate run study.yaml --storage postgresql://me:secret@host/db",
            fails=True,
        )
    first, second = sittings(records)
    assert all(each.ended >= each.started and each.seconds >= 0 for each in (first, second))
    assert (first.engine, first.workers, first.device, first.study) == ("ray", 4, "cuda", Commit())
    assert first.versions["python"] and first.versions["numpy"] and first.cores > 0
    assert "secret" not in records.sittings.read_text() and "…@host" in second.command
    records.forget()
    assert sittings(records) == ()


@pytest.mark.parametrize("content", ["{", "{}", '[{"started": "x"}]', '[{"study": {}, "ablate": {}, "colour": 1}]'])
def test_what_can_not_be_read_is_as_if_it_was_not_noted(tmp_path: Path, content: str) -> None:
    records = Records(tmp_path)
    records.sittings.write_text(content)
    assert sittings(records) == ()


def test_a_record_has_its_device_and_one_from_before_has_none(tmp_path: Path) -> None:
    records = Records(tmp_path)
    kept = records.add(execute(Task("cell-0", "tests.builders:nothing", {}, 0)))
    assert kept.device == "cpu" and records.load_one("cell-0") == kept
    assert device_name("cpu") == "cpu"
    path = tmp_path / "runs" / "cell-0.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in held.items() if key not in ("schema", "crc", "device")}))
    before = Records(tmp_path).load_one("cell-0")
    assert isinstance(before, Record) and before.device == ""
    assert records.add(Result("cell-1", "failed", 0.0, 1.0)).device == ""
