"""Names of artifacts: one that no file of a run can have makes that run fail, and writes nothing anywhere else."""

import pytest

from ablate.engines.base import Task, execute
from ablate.records import Records
from ablate.run import Diverged, Run

TARGET = "tests.engines.test_artifacts:train"


def train(params, run):
    run.artifacts.update(dict.fromkeys(params["names"], b"kept"))
    run.artifacts.update(params.get("raw", {}))
    if params.get("diverge"):
        raise Diverged("loss is nan", 4)
    return {"score": 1.0}


def kept(tmp_path, **params):
    records = Records(tmp_path / "out")
    record = records.add(execute(Task("cell-0", TARGET, params, 0)))
    return record, records.artifacts("cell-0")


@pytest.mark.parametrize("diverge", [False, True])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../../../x", "give the name of a file, without a folder"),
        ("a/b", "give the name of a file, without a folder"),
        ("/tmp/x", "give the name of a file, without a folder"),
        ("a\0b", "give the name of a file, without a folder"),
        ("..", "give the name of a file, without a folder"),
        ("", "give the name of a file, without a folder"),
        ("a.ablate-part", "names in .ablate-part are those of files that are being written"),
        ("é" * 101, "a name of 202 bytes; give one of at most 200"),
        ("\ud800", "no file can have this name"),
        (7, "a name and bytes are kept, and not int and bytes"),
    ],
)
def test_a_name_that_no_artifact_may_have_fails_the_run(tmp_path, name, why, diverge):
    record, artifacts = kept(tmp_path, names=["good", name], diverge=diverge)
    assert record.state == "failed"
    assert why in record.error
    assert [path.name for path in artifacts] == ["good"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_no_bytes_fails_the_run(tmp_path):
    record, artifacts = kept(tmp_path, names=[], raw={"note": "text"})
    assert (record.state, artifacts) == ("failed", [])


def test_names_that_files_may_have_are_kept(tmp_path):
    names = ["a", "a.part", "ab" * 100, "é" * 100, ".hidden", "a b:c", "..."]
    record, artifacts = kept(tmp_path, names=names)
    assert record.state == "completed"
    assert {path.name: path.read_bytes() for path in artifacts} == dict.fromkeys(names, b"kept")


def test_a_file_of_such_a_name_is_refused_when_it_is_logged(tmp_path):
    for name in ("x.ablate-part", "y" * 201):
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match="artifact"):
            Run(0).log_artifact(tmp_path / name)
