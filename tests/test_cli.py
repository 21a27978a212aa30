"""The command line, as a user runs it: real processes in a fresh folder."""

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.shell import PLANTED, ROOT, STUDY, command, environment, rows, verdict, wait_for, write

INLINE = ("--engine", "inline")
UNTRACKED = (*INLINE, "--tracking-uri", "none")


def verdict_of(out):
    """verdict.json of a folder, but for the hash of the plan: a study whose runs take other `seconds` is another plan."""
    found = json.loads((out / "verdict.json").read_text())
    assert (len(found["preregistration"].pop("hash")), found["preregistration"]["changes"]) == (64, [])
    return json.dumps(found)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of the small study, trained in one go."""
    folder = tmp_path_factory.mktemp("whole")
    words = ("run", write(folder, STUDY), *UNTRACKED, "--out", "whole")
    subprocess.run(command(*words), cwd=folder, env=environment(), check=True, capture_output=True)
    return folder / "whole"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The planted study, trained, and what the command said."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "studies").symlink_to(ROOT / "studies")
    words = command("run", PLANTED, *INLINE)
    return folder, subprocess.run(words, cwd=folder, env=environment(), text=True, capture_output=True, timeout=60)


def test_the_planted_study_finds_what_helps_what_harms_and_what_does_nothing(planted):
    folder, done = planted
    assert done.returncode == 0, done.stderr
    found = verdict(folder)
    assert {name: fix["verdict"] for name, fix in found["fixes"].items()} == {
        "good": "helps",
        "bad": "harms",
        "idle": "negligible",
    }
    assert found["ranking"] == ["good", "idle", "bad"]
    shares = sum(fix["share"]["effect"] for fix in found["fixes"].values())
    scores = {(row["arm"], row["seed"]): float(row["score"]) for row in rows(folder)}
    whole = sum(scores["all on", str(seed)] - scores["all off", str(seed)] for seed in range(6)) / 6
    assert shares == pytest.approx(whole, abs=1e-12)
    out = done.stdout.splitlines()
    assert "report    reports/planted/report.pdf" in out
    assert "figures   reports/planted/figures" in out
    assert out[-1].split(None, 1) == ["compare", "mlflow ui"]
    assert re.search(r"good\s+\+(1\.[89]|2\.[01])\d* \[.*▲ helps", done.stdout)
    assert (folder / "reports/planted/report.pdf").read_bytes().startswith(b"%PDF")


def test_run_again_it_trains_nothing_and_says_the_same(planted):
    folder, _ = planted
    before, ids = verdict(folder), [row["mlflow_run_id"] for row in rows(folder)]
    again = subprocess.run(command("run", PLANTED, *INLINE), cwd=folder, env=environment(), text=True, capture_output=True)
    assert "0 trained now, 60 in the study" in again.stdout
    assert verdict(folder) == before
    assert [row["mlflow_run_id"] for row in rows(folder)] == ids


def test_interrupted_halfway_it_goes_on_and_the_verdict_is_that_of_an_uninterrupted_run(cli, whole):
    study = write(cli.folder, STUDY.replace("fixes:", "params: {seconds: 1}\nfixes:"))
    process = subprocess.Popen(
        command("run", study, *UNTRACKED),
        cwd=cli.folder,
        env=environment(),
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it, and hands that on
    )
    runs = cli.folder / "reports/small/runs"
    wait_for(lambda: len(list(runs.glob("*.json"))) >= 3)
    now = json.loads(cli("status", study, "--json").stdout)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "what finished is kept" in err
    assert now["planned"] == 12
    assert now["running"] == 1
    assert now["seconds_left"] > 0
    kept = len(list(runs.glob("*.json")))
    assert 3 <= kept < 12
    assert json.loads(cli("status", study, "--json").stdout)["missing"] == 12 - kept

    resumed = cli("run", study, *UNTRACKED)
    assert f"{12 - kept} trained now, 12 in the study" in resumed.stdout
    assert verdict_of(whole) == verdict_of(cli.folder / "reports/small")


def test_terminated_under_ray_it_keeps_what_finished_and_goes_on(cli, whole):
    study = write(cli.folder, STUDY.replace("fixes:", "params: {seconds: 0.5}\nfixes:"))
    words = ("run", study, "--workers", "2", "--tracking-uri", "none")
    process = subprocess.Popen(command(*words), cwd=cli.folder, env=environment(), text=True, stderr=subprocess.PIPE)
    runs = cli.folder / "reports/small/runs"
    wait_for(lambda: len(list(runs.glob("*.json"))) >= 3)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "what finished is kept" in err
    kept = len(list(runs.glob("*.json")))
    assert f"{12 - kept} trained now, 12 in the study" in cli(*words).stdout
    assert verdict_of(whole) == verdict_of(cli.folder / "reports/small")


@pytest.mark.parametrize("bad", [("--storage", "nonsense"), ("--tracking-uri", "nonsense://x")])
def test_stores_that_cannot_be_opened_cost_nothing(cli, bad):
    study = write(cli.folder, STUDY)
    done = cli("run", study, *INLINE, *bad)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{bad[0]}: '{bad[1]}' can't be opened" in done.stderr
    assert not (cli.folder / "reports").exists()
    cli("run", study, *UNTRACKED)
    assert cli("run", study, *INLINE, *bad, "--fresh").returncode == 2
    assert "0 trained now" in cli("run", study, *UNTRACKED).stdout


def test_a_store_found_unusable_while_ray_starts_ends_in_one_line_with_nothing_written(cli):
    study = write(cli.folder, STUDY)
    with closing(sqlite3.connect(cli.folder / "old.db")) as store:
        store.executescript("CREATE TABLE experiments (x); CREATE TABLE alembic_version (version_num)")
        store.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        store.commit()
    before = sorted(cli.folder.iterdir())
    done = cli("run", study, "--workers", "1", "--tracking-uri", "sqlite:///old.db", timeout=120)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "sqlite:///old.db' has an older schema than MLflow" in done.stderr
    assert sorted(cli.folder.iterdir()) == before


def test_failed_runs_end_in_3_are_named_and_are_tried_again(cli):
    study = write(cli.folder, STUDY.replace("on: {harms: 1}", "on: {harms: 1, broken: true}"))
    done = cli("run", study, *UNTRACKED)
    assert done.returncode == 3
    found = verdict(cli.folder, "small")
    assert (found["design"]["failed"], found["fixes"]) == (6, {})
    assert found["headline"].startswith("No verdict: the design lost 2 arms, of which no run completed: bad, all on")
    failed = [row for row in rows(cli.folder, "small") if row["state"] == "failed"]
    assert {row["error"] for row in failed} == {"RuntimeError: planted failure"}
    assert "6 of 12 runs failed; the first: bad · seed 0: RuntimeError: planted failure" in " ".join(done.stdout.split())
    assert "6 trained now" in cli("run", study, *UNTRACKED).stdout


def test_a_worker_under_ray_gives_the_verdict_that_inline_gives(cli, whole):
    study = write(cli.folder, STUDY)
    ray = cli("run", study, "--workers", "2", "--tracking-uri", "none", timeout=120)
    assert ray.returncode == 0, ray.stderr
    assert (whole / "verdict.json").read_bytes() == (cli.folder / "reports/small/verdict.json").read_bytes()


def test_a_second_writer_is_refused(cli):
    study = write(cli.folder, STUDY.replace("fixes:", "params: {seconds: 3}\nfixes:"))
    first = subprocess.Popen(command("run", study, *UNTRACKED), cwd=cli.folder, env=environment(), stderr=subprocess.DEVNULL)
    wait_for(lambda: (cli.folder / "reports/small/running.json").exists())
    second = cli("run", study, *UNTRACKED)
    first.terminate()
    assert first.wait(60) == 130
    assert second.returncode == 2
    assert "reports/small is being written by process" in second.stderr


def test_an_outcome_that_an_undeclared_target_does_not_return_is_named(cli):
    (cli.folder / "mine.py").write_text("def train(params, run):\n    return {'accuracy': 1.0}\n")
    study = write(cli.folder, "name: mine\ntarget: mine:train\nfixes: {a: {off: {x: 0}, on: {x: 1}}}\noutcome: {metric: score}\n")
    done = cli("run", study, *UNTRACKED)
    assert done.returncode == 2
    assert "outcome.metric: 'score' was not among the final metrics that mine:train returned (accuracy)" in done.stderr


def test_an_undeclared_target_of_the_users_runs_and_what_is_assumed_is_said(cli):
    (cli.folder / "mine.py").write_text("def train(params, run):\n    return {'score': params['x'] + 0.01 * run.seed}\n")
    study = write(cli.folder, "name: mine\ntarget: mine:train\nfixes: {a: {off: {x: 0}, on: {x: 1}}}\noutcome: {metric: score}\n")
    done = cli("run", study, *UNTRACKED)
    assert done.returncode == 0, done.stderr
    found = verdict(cli.folder, "mine")
    assert found["fixes"]["a"]["effect"] == pytest.approx(1)
    assert any("is assumed" in warning for warning in found["warnings"])


def test_quick_is_marked_everywhere_and_kept_apart(cli):
    done = cli("run", PLANTED, *UNTRACKED, "--quick")
    found = verdict(cli.folder, "planted-quick")
    assert found["quick"] is True
    assert found["design"]["seeds"] == 2
    assert "quick: a small budget" in done.stdout
    assert not (cli.folder / "reports/planted").exists()


def test_plan_trains_nothing_and_counts_every_run_once(cli):
    made = json.loads(cli("plan", "studies/three_fixes.yaml", "--json").stdout)
    assert (made["design"]["arms"], made["design"]["seeds"], made["cells"], made["runs"]) == (8, 6, 20, 84)
    assert made["smallest_detectable_effect"]["in_run_noise"] == pytest.approx(0.974, abs=0.001)
    assert "8 arms × 6 paired seeds" in cli("plan", "studies/three_fixes.yaml").stdout
    assert not (cli.folder / "reports").exists()


def test_init_is_a_study_that_runs_as_it_is_and_schema_knows_its_keys(cli):
    write(cli.folder, cli("init").stdout)
    assert cli("run", "study.yaml", *UNTRACKED).returncode == 0
    schema = json.loads(cli("schema").stdout)
    assert {"name", "target", "fixes", "outcome"} <= set(schema["properties"])


def test_report_rewrites_what_is_stored_without_torch_or_stores(cli, planted):
    shutil.copytree(planted[0] / "reports", cli.folder / "reports")
    pdf = cli.folder / "reports/planted/report.pdf"
    pdf.unlink()
    code = "import sys; sys.argv = ['ablate', 'report', 'studies/planted.yaml']\nimport ablate.cli\n"
    code += "try: ablate.cli.main()\nexcept SystemExit as end:\n"
    code += "    print(end.code, {'torch', 'mlflow', 'optuna', 'ray'} & set(sys.modules))\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=cli.folder, env=environment(), text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "0 set()", done.stderr
    assert pdf.exists()
