"""Bad studies and bad words: one line with key, value and remedy, exit 2, and nothing written."""

import re

import pytest

from tests.shell import PLANTED, STUDY, write

TARGET = "ablate.targets.planted:train"
#: What is wrong → (what of the good study is replaced, by what, the line that says so).
BAD = {
    "an unknown key": ("design: {seeds: 3}", "design: {sedes: 3}", r"design\.sedes: unknown key; use 'seeds'"),
    "a fix whose off equals its on": ("off: {helps: 0}", "off: {helps: 1}", r"fixes\.good\.on must change at least one param"),
    "a fix that resolves to nothing": ("{off: {harms: 0}, on: {harms: 1}}", "{off: {}, on: {harms: 0}}", "bad changes nothing"),
    "a metric the target never reports": (
        "metric: score",
        "metric: accuracy",
        rf"outcome\.metric: 'accuracy' is never reported by {re.escape(TARGET)}; use one of: score, seconds",
    ),
    "an unknown function": ("planted:train", "planted:trian", r"target: module '.*planted' has no function 'trian'; use 'train'"),
    "an unknown module": (TARGET, "mine:train", r"target: 'mine:train' can't be imported \(no module 'mine'\); mend the name"),
    "a target that is no target": (TARGET, "train", r"target: 'train' must be module:function"),
    "YAML that doesn't parse": ("fixes:", "fixes: [", r"line \d+, column \d+: not valid YAML"),
    "one seed": ("seeds: 3", "seeds: 1", r"design\.seeds: 1 can't be used; it should be greater than or equal to 2"),
    "an unknown param": ("{helps: 1}", "{helpz: 1}", r"fixes\.good\.on\.helpz: 'helpz' is not a param of .*; use 'helps'"),
    "a missing key": ("outcome: {metric: score, minimum_effect: 0.5}", "", r"outcome is missing; add it"),
    "a curve that is never logged": ("curves: [progress]", "curves: [loss]", r"curves: 'loss' is never reported"),
    "a misspelt key": ("design:", "stoping: {looks: [4]}\ndesign:", r"stoping: unknown key; use 'stopping'"),
    "looks that do not grow": ("design:", "stopping: {looks: [4, 4]}\ndesign:", r"stopping\.looks must grow from at least 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_studies_end_in_one_line_with_key_value_and_remedy_and_nothing_written(cli, case):
    old, new, message = BAD[case]
    assert old in STUDY
    study = write(cli.folder, STUDY.replace(old, new))
    before = sorted(cli.folder.iterdir())
    done = cli("run", study)
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert sorted(cli.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["run", PLANTED, "--seeds", "1"], r"design\.seeds: 1|seeds: 1"),
        (["run", PLANTED, "--set", "noise"], "--set: 'noise' must be KEY=VALUE"),
        (["run", PLANTED, "--set", "nois=1"], r"params\.nois: 'nois' is not a param of .*; use 'noise'"),
        (["run", PLANTED, "--set", "helps=1"], r"--set helps: fixes\.good sets it both off and on"),
        (["run", PLANTED, "--engine", "slurm"], "'slurm' is not one of"),
        (["run", PLANTED, "--workers", "none"], "--workers"),
        (["run", PLANTED, "--out", PLANTED], "--out: studies/planted.yaml can't be written"),
        (["run", PLANTED, "--out", "/proc/x"], "--out: /proc/x can't be written"),
        (["report", PLANTED], "reports/planted: holds no runs"),
        (["runn", PLANTED], "No such command 'runn'"),
        (["run", PLANTED, "--nope"], "No such option: --nope"),
    ],
)
def test_bad_words_end_in_one_line(cli, words, message):
    done = cli(*words)
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
    assert not (cli.folder / "reports").exists()
