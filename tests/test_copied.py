"""A study that goes on in a copy of its folder."""

import shutil

import optuna

from ablate.driver import default_storage
from ablate.records import Records
from tests.builders import FIXES, raw, write_study
from tests.test_cli import UNTRACKED


def test_a_copy_has_one_trial_a_run(cli):
    study = write_study(cli.folder, raw(fixes=FIXES, design={"seeds": 2}))
    cli("run", study, *UNTRACKED, "--out", "first")
    shutil.copytree(cli.folder / "first", cli.folder / "copy")
    assert "0 trained now" in cli("run", study, *UNTRACKED, "--out", "copy").stdout
    trials = optuna.load_study(study_name="trial", storage=default_storage(cli.folder / "copy")).trials
    assert sorted(each.user_attrs["run_id"] for each in trials) == sorted(Records(cli.folder / "copy").load())
