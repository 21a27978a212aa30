"""The name of a study's folder: kept where it is moved, another where it is copied."""

import platform
import shutil

import pytest
from mlflow.tracking import MlflowClient

from ablate.home import own
from ablate.records import Records
from ablate.tracking.restore import restore
from tests.builders import FIXES, raw
from tests.stored import carry_out, plan_of, showing

STUDY = raw(fixes={"good": FIXES["good"]}, design={"seeds": 2})


def test_a_folder_that_is_moved_keeps_its_name_and_a_copy_gets_another(tmp_path):
    first, moved, copy = (tmp_path / name for name in ("first", "moved", "copy"))
    first.mkdir()
    assert not own(first)
    name = Records(first).identity()
    assert not own(first)
    first.rename(moved)
    assert not own(moved)
    assert Records(moved).identity() == name
    shutil.copytree(moved, copy)
    assert own(copy)
    assert Records(copy).identity() != name
    assert not own(copy)
    assert not own(moved)
    assert Records(moved).identity() == name


class Study:
    """A study, carried out in `first`, and its store."""

    def __init__(self, folder):
        self.folder, self.first, self.uri = folder, folder / "first", f"sqlite:///{folder}/mlflow.db"
        self.plan = plan_of(STUDY)
        carry_out(STUDY, self.first, self.uri)

    def show(self, out):
        """Have a folder tell the store of its runs, as every command does; returns the runs that the store has of it."""
        records = Records(out)
        with records.lock(), showing(self.uri, self.plan, records) as mirror:
            mirror.catch_up(self.plan.runs, records.load())
            assert mirror.deliver()
        return self.whole(out)

    def whole(self, out):
        """The runs that the store has under a folder's name."""
        client, name = MlflowClient(self.uri), Records(out).identity()
        within = [client.get_experiment_by_name("trial").experiment_id]
        (parent,) = client.search_runs(within, f"tags.`ablate.owner` = '{name}' and tags.kind = 'study'")
        return {run.info.run_id for run in client.search_runs(within, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")}

    def lose(self, out):
        """Forget a run of a folder, which is then taken from what the store has of that folder."""
        next(iter(sorted((out / "runs").glob("*.json")))).unlink()


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Study(tmp_path)


def apart(study, *folders):
    """Each folder has its own runs in the store, whatever the others lose."""
    assert len({Records(out).identity() for out in folders}) == len(folders)
    for out in folders:
        before = {other: study.whole(other) for other in folders if other != out}
        study.lose(out)
        assert len(study.show(out)) == len(Records(out).load()) == len(study.plan.runs) - 1
        assert {other: study.whole(other) for other in before} == before


def test_a_folder_from_the_store_is_a_copy_while_the_other_is_there(study):
    second, name, shown = study.folder / "second", Records(study.first).identity(), study.whole(study.first)
    assert restore(study.uri, study.plan, Records(second)) == len(study.plan.runs)
    study.show(second)
    assert (Records(study.first).identity(), study.whole(study.first)) == (name, shown)
    apart(study, second, study.first)
    third = study.folder / "third"
    shutil.rmtree(study.first)
    name = (second / "id").read_text()
    restore(study.uri, study.plan, Records(third))
    shutil.rmtree(second)
    study.show(third)
    assert Records(third).identity() == name  # which took the place of what is gone


@pytest.mark.parametrize("order", [("copy", "moved"), ("moved", "copy")])
def test_a_folder_that_was_copied_and_moved_is_two(study, order):
    shutil.copytree(study.first, study.folder / "copy")
    study.first.rename(study.folder / "moved")
    one, other = (study.folder / name for name in order)
    study.show(one)
    study.show(other)
    assert own(other)  # so that what else goes by its name is made anew
    assert not own(other) and not own(one)
    apart(study, one, other)


def test_a_folder_that_was_copied_to_another_machine_is_two_and_one_that_moved_there_is_one(study, monkeypatch):
    here, copy = platform.node(), study.folder / "copy"
    shutil.copytree(study.first, copy)
    shown, name = study.whole(study.first), Records(study.first).identity()
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    assert study.show(copy) == shown  # it may have moved there
    monkeypatch.setattr(platform, "node", lambda: here)
    study.show(study.first)
    assert Records(study.first).identity() != name
    assert study.whole(copy) == shown
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    copy.rename(study.folder / "again")
    monkeypatch.setattr(platform, "node", lambda: here)
    assert study.show(study.folder / "again") == shown
    apart(study, study.first, study.folder / "again")
