"""`run --profile` as a user types it: in this process and on ray's workers, and that it changes nothing but what is told."""

import csv
import json

from tests.shell import PLANTED, STUDY, write

UNTRACKED = ("--tracking-uri", "none")
REGION = """
name: regions
target: ablate.targets.region_clip:train
params: {forwards: 24, pretrain_steps: 2, pretrain_batch: 8, eval_images: 16, bank_warmup: 8, eval_every: 8}
fixes:
  logit_scale: {off: {logit_scale_init: 2.6592}, on: {logit_scale_init: 4.6052}}
design: {seeds: 2}
outcome: {metric: eval/region_top1, minimum_effect: 0.01}
"""


def profile_rows(out):
    with (out / "profile.csv").open() as file:
        return list(csv.DictReader(file))


def what_was_found(out):
    """The verdict and each run's curves and final metrics, to the byte."""
    verdict = json.loads((out / "verdict.json").read_text())
    records = {path.name: json.loads(path.read_text()) for path in sorted((out / "runs").glob("*.json"))}
    curves = {path.name: path.read_bytes() for path in sorted((out / "curves").glob("*"))}
    return verdict, {name: held["metrics"] for name, held in records.items()}, curves


def test_a_study_on_ray_is_profiled_and_finds_the_same_bit_for_bit(cli):
    study = write(cli.folder, REGION)
    plain = cli("run", study, "--engine", "inline", *UNTRACKED, "--out", "plain")
    done = cli("run", study, "--workers", "2", *UNTRACKED, "--out", "profiled", "--profile")
    assert (plain.returncode, done.returncode) == (0, 0), done.stderr
    assert what_was_found(cli.folder / "plain") == what_was_found(cli.folder / "profiled")
    assert not (cli.folder / "plain/profile.csv").exists()
    rows = profile_rows(cli.folder / "profiled")
    assert len(rows) == 5 and len({row["worker"] for row in rows}) == 2  # with the run that is trained twice
    for row in rows:
        phases = {key.removeprefix("phase."): float(value) for key, value in row.items() if key.startswith("phase.")}
        assert {"imports", "model", "data", "forward", "backward", "optimizer", "evaluation", "logging", "other"} == set(phases)
        assert abs(sum(phases.values()) - float(row["seconds"])) < 1e-4
        assert all(phases[name] > 0 for name in ("data", "forward", "backward", "optimizer", "evaluation", "logging"))
        assert phases["other"] < 0.2 * float(row["seconds"])  # what nobody named
        assert float(row["cpu_seconds"]) > 0
    assert (cli.folder / "profiled/figures/profile.png").exists()
    assert "Where the time went" in (cli.folder / "profiled/report.html").read_text()
    assert "run study.yaml --out profiled --workers 2 --tracking-uri none --profile" in done_command(cli.folder / "profiled")


def done_command(out):
    return json.loads((out / "sittings.json").read_text())[0]["command"]


def test_a_complete_study_has_nothing_to_profile_and_says_what_it_has(cli):
    study = write(cli.folder, STUDY)
    inline = ("--engine", "inline", *UNTRACKED)
    cli("run", study, *inline)
    again = cli("run", study, *inline, "--profile")
    assert again.returncode == 0
    assert "--profile: nothing was left to train, so nothing to profile; no run was profiled" in again.stderr
    more = cli("run", study, *inline, "--seeds", "4", "--profile")
    assert "nothing to profile" not in more.stderr and len(profile_rows(cli.folder / "reports/small")) == 4
    last = cli("run", study, *inline, "--seeds", "4", "--profile")
    assert "the report shows the profile of 4 of 16 runs" in last.stderr
    assert len(last.stderr.splitlines()) == 2  # the target, and this


def test_the_planted_study_is_profiled_in_this_process(cli):
    done = cli("run", PLANTED, "--engine", "inline", *UNTRACKED, "--profile")
    assert done.returncode == 0, done.stderr
    rows = profile_rows(cli.folder / "reports/planted")
    assert len(rows) == 61 and len({row["worker"] for row in rows}) == 1
    assert {key for key in rows[0] if key.startswith("phase.")} == {"phase.imports", "phase.logging", "phase.other"}
