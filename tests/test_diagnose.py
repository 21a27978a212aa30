"""`diagnose`: the diagnosis's study in real trainings, short ones, as a user runs it; and what it refuses."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.diagnose import Asked, asked, diagnose, diagnosis_json, judge, run_command
from ablate.driver import missing
from ablate.engines.inline import InlineEngine
from ablate.errors import BadInput
from ablate.progress import Progress
from ablate.records import Records
from ablate.report.diagnosis import diagnosis_content, headline, quality_said
from ablate.report.diagnosis_md import as_markdown
from ablate.report.symptoms import SET
from ablate.study import load_study
from ablate.target import load_target
from tests.builders import open_plan, raw, study, target
from tests.report.reading import pdf_text, squeezed
from tests.shell import ROOT, command, environment

SHORT = ("--set", "pretrain_steps=4", "--set", "eval_images=16")
THREE = "studies/three_fixes.yaml"
PLANTED_SYMPTOMS = [
    {"name": "low", "fix": "good", "metric": "progress", "reduction": "mean", "comparison": "<", "value": 9, "reported": 1},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all commands of this module share, so that each arm is trained once."""
    return tmp_path_factory.mktemp("home")


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=home, env=environment(), text=True, capture_output=True, timeout=300)


def found(home: Path, arm: str = "all_off", *more: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = run(home, "diagnose", str(ROOT / THREE), "--arm", arm, *SHORT, *more)
    return done, json.loads((home / "reports/three_fixes/diagnosis.json").read_text())


def pages(pdf: Path) -> int:
    return subprocess.run(["pdftotext", "-raw", pdf, "-"], check=True, capture_output=True, text=True).stdout.count("\f")


def test_the_arm_without_fixes_has_all_three_defects(home: Path) -> None:
    done, written = found(home)
    assert done.returncode == 0, done.stderr
    assert {name: defect["verdict"] for name, defect in written["defects"].items()} == {
        "logit_scale": "found",
        "bbox_filter": "found",
        "memory_bank": "found",
    }
    said = "all 3 defects are found. Of 17 reported figures 6 were set to be as reported, though 1 differs; of the 11 others "
    assert squeezed(said) in squeezed(done.stdout)  # the start of so few steps has not the spread that cosine_spread is made for
    assert done.stdout.count("(set)") == 6 and SET in done.stdout
    assert sum(each["set"] for each in written["symptoms"]) == 6
    seen = {each["name"]: each for each in written["symptoms"]}
    assert seen["logit_scale (finegrained)"]["observed"] == 2.65625
    assert f"{seen['its exponential']['observed']:.4f}" == "14.2428"
    assert seen["forwards with a zero norm"]["observed"]["of"] >= 133
    assert seen["forwards with a zero norm"]["agreement"] == "consistent"
    assert seen["mean norm with 1 zero of 4"]["observed"] == pytest.approx(0.75, abs=2e-3)
    assert sum(seen["valid boxes a forward"]["observed"].values()) == 134
    assert (seen["memory bank size"]["observed"], seen["memory bank size"]["agreement"]) == (128, "consistent")


def test_what_lies_beyond_the_budget_is_untestable_with_its_reason(home: Path) -> None:
    _, written = found(home)
    claims = {claim["name"]: claim for claim in written["claims"]}
    late = claims["region loss falls below 0.8"]
    for each in (late, claims["logits reach 10"], claims["logits reach -10"]):
        assert (each["verdict"], each["detail"]) == ("untestable", "its runs end at step 133, before step 399")
    grows = claims["verify 1: with its scale fixed, the logit range grows in 10 trainer steps"]
    assert grows["verdict"] in ("confirmed", "refuted") and grows["expected"] == "growth of logits_i2t/range over steps 0–79 > 0"
    assert claims["memory bank on at trainer step 6"]["verdict"] == "confirmed"
    assert claims["verify 3: the memory bank alone switches on at trainer step 6"]["verdict"] == "confirmed"
    done, written = found(home, "all_off", "--set", "forwards=104")
    settings = "--set pretrain_steps=4 --set eval_images=16 --set forwards=104"
    command = f"python -m ablate run {ROOT / THREE} {settings}"
    assert f"next      {command}\n" in done.stdout
    assert f"```sh\n{command}\n```" in (home / "reports/three_fixes/diagnosis.md").read_text()
    assert squeezed(command) in pdf_text(home / "reports/three_fixes/diagnosis.pdf")
    symptom = next(each for each in written["symptoms"] if each["name"] == "region loss from trainer step 12 on")
    assert (symptom["agreement"], symptom["detail"]) == ("untestable", "its runs end at step 103, before step 133")
    assert (written["params"]["forwards"], written["defects"]["bbox_filter"]["verdict"]) == (104, "unclear")


def test_it_leaves_markdown_pdf_and_json_and_trains_nothing_again(home: Path) -> None:
    found(home)
    out = home / "reports/three_fixes"
    files = [out / f"diagnosis.{kind}" for kind in ("md", "pdf", "json")]
    before = [path.read_bytes() for path in files]
    again, _ = found(home)
    assert "runs done" not in again.stderr and [path.read_bytes() for path in files] == before
    assert not list(out.glob("*.db")) and not (home / "mlflow.db").exists()
    text = pdf_text(out / "diagnosis.pdf")
    assert pages(out / "diagnosis.pdf") == 2
    for wanted in (
        "Symptoms: observed beside reported",
        "2.656250",
        "34 of 134",
        "untestable",
        "Data quality",
        "python -m ablate run",
    ):
        assert squeezed(wanted) in text
    markdown = (out / "diagnosis.md").read_text()
    assert markdown.count("| **found** |") == 3 and "## Claims and verification steps" in markdown
    assert f"next      python -m ablate run {ROOT / THREE}" in again.stdout


def test_the_arm_with_every_fix_has_none(home: Path) -> None:
    done, written = found(home, "all_on")
    assert done.returncode == 0, done.stderr
    assert {defect["verdict"] for defect in written["defects"].values()} == {"not found"}
    said = "In arm all on, none of the 3 defects is found. Of 17 reported figures 6 were set to be as reported in the training"
    assert squeezed(said) in squeezed(done.stdout)
    assert "what was reported is of the training without fixes" in done.stdout
    assert squeezed("here it is all on that is looked at") in pdf_text(home / "reports/three_fixes/diagnosis.pdf")


def test_one_fix_alone_is_named_and_printed_as_json(home: Path) -> None:
    done, written = found(home, "memory_bank", "--json")
    assert json.loads(done.stdout) == written
    assert written["arm"] == "memory_bank" and written["params"]["forwards"] == 134
    assert {name: defect["verdict"] for name, defect in written["defects"].items()} == {
        "logit_scale": "found",
        "bbox_filter": "found",
        "memory_bank": "not found",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((str(ROOT / "studies/planted.yaml"),), "symptoms is missing; add what the report printed"),
        ((str(ROOT / THREE), "--arm", "memory_bnk"), "--arm: 'memory_bnk' is not a fix of this study; use 'memory_bank'"),
        ((str(ROOT / THREE), "--set", "forwards=0"), "params.forwards: 0 can't be used"),
        ((str(ROOT / THREE), "--set", "bank_warmup=3"), "--set bank_warmup: fixes.memory_bank sets it both off and on"),
        ((str(ROOT / THREE), "--device", "tpu"), "tpu"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = run(tmp_path, "diagnose", *words)
    assert done.returncode == 2 and message in done.stderr
    assert len(done.stderr.splitlines()) == 1 and list(tmp_path.iterdir()) == []


def test_a_training_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    mapping = raw(params={"broken": True}, symptoms=PLANTED_SYMPTOMS)
    (tmp_path / "study.yaml").write_text(json.dumps(mapping))
    for _ in range(2):
        done = run(tmp_path, "diagnose", "study.yaml")
        assert done.returncode == 3 and "RuntimeError: planted failure" in done.stdout
        assert "runs done" in done.stderr or "failed" in done.stderr
    written = json.loads((tmp_path / "reports/trial/diagnosis.json").read_text())
    assert written["symptoms"][0]["detail"] == "no run of the arm completed: RuntimeError: planted failure"
    assert written["defects"]["good"]["verdict"] == "unclear" and len(written["failures"]) == 1


def planted(tmp_path: Path, **changes: Any) -> tuple[Asked, Records]:
    made = study(symptoms=PLANTED_SYMPTOMS, **changes)
    return asked(made, load_target(made.target)), Records(tmp_path)


def carry_out(request: Asked, records: Records) -> Any:
    with InlineEngine() as engine, Progress(request.plan, records) as watcher:
        return diagnose(request, records, engine, watcher, "cpu")


def test_the_arms_that_claims_speak_of_are_trained_too_once_each(tmp_path: Path) -> None:
    claims = [
        {"name": "a", "arm": "good", "against": "bad", "metric": "score", "comparison": ">", "value": 0},
        {"name": "b", "arm": "all_on", "metric": "score", "comparison": ">", "value": 0},
    ]
    request, records = planted(tmp_path, claims=claims)
    assert [(run.cell.label, run.seed) for run in request.plan.runs] == [("all off", 0), ("good", 0), ("bad", 0), ("all on", 0)]
    assert (request.study_runs, request.plan.name) == (48, "trial-diagnosis")
    result = carry_out(request, records)
    assert missing(request.plan, records.load()) == []
    assert [claim.verdict for claim in result.claims] == ["confirmed", "confirmed"]
    assert result.claims[0].observed == pytest.approx(3, abs=2)


def test_the_targets_own_params_of_a_diagnosis_give_way_to_those_that_are_set() -> None:
    loaded = load_study(ROOT / THREE)
    cells = asked(loaded, load_target(loaded.target)).plan.cells.values()
    assert {(cell.params["forwards"], cell.params["eval_every"]) for cell in cells} == {(134, 0)}
    cells = asked(loaded, load_target(loaded.target), params={"forwards": 64}).plan.cells.values()
    assert {(cell.params["forwards"], cell.params["eval_every"]) for cell in cells} == {(64, 0)}


def test_data_figures_are_shown_as_the_target_declares_them(tmp_path: Path) -> None:
    request, records = planted(tmp_path)
    result = carry_out(request, records)
    run_id = request.plan.runs[0].id
    record = records.load()[run_id]
    records.save(replace(record, metrics={**record.metrics, "data/boxes": 542.0, "data/invalid_share": 0.0675}))
    result = judge(request, records)
    assert {figure.name: figure.value for figure in result.data} == {"data/boxes": 542.0, "data/invalid_share": 0.0675}
    assert diagnosis_json(result)["data"] == {"data/boxes": 542.0, "data/invalid_share": 0.0675}
    assert "| `data/invalid_share` |  | 0.0675 |" in as_markdown(diagnosis_content(result, "python -m ablate run study.yaml"))


def test_a_data_set_that_can_be_audited_is_pointed_to(tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text("[]")
    made = study(params={"data": str(tmp_path / "boxes.json")}, target="x:y", symptoms=PLANTED_SYMPTOMS)
    request = asked(made, target())
    result = judge(request, Records(tmp_path / "out"))
    assert f"python -m ablate audit {tmp_path / 'boxes.json'}" in quality_said(result)


def test_the_headline_names_what_is_found_and_what_is_not(tmp_path: Path) -> None:
    request, records = planted(tmp_path)
    result = carry_out(request, records)
    assert "1 of 3 defects found (found: good; unclear: bad, idle)" in headline(result)
    assert headline(result).endswith(" Of 1 reported figure 0 agree with what is seen here and 1 differs.")


@pytest.mark.parametrize(
    ("kinds", "arm", "said"),
    [
        ("SSadu", "all_off", "Of 5 reported figures 2 were set to be as reported; of the 3 others 1 agrees with what is "
         "seen here and 1 differs; 1 can't be tested."),
        ("SDaa", "all_off", "Of 4 reported figures 2 were set to be as reported, though 1 differs; of the 2 others 2 agree with "
         "what is seen here and 0 differ."),
        ("SDa", "good", "Of 3 reported figures 2 were set to be as reported in the training without fixes; of the 1 other "
         "1 agrees with what is seen here and 0 differ."),
        ("S", "all_off", "Of 1 reported figure 1 was set to be as reported."),
        ("add", "all_off", "Of 3 reported figures 1 agrees with what is seen here and 2 differ."),
        ("n", "all_off", "0 of 3 defects found (unclear: good, bad, idle)."),
    ],
)  # fmt: skip
def test_the_headline_counts_apart_what_was_set(tmp_path: Path, kinds: str, arm: str, said: str) -> None:
    of_kind: dict[str, dict[str, Any]] = {
        "a": {"reduction": "count", "comparison": "<", "value": 9, "reported": {"count": 20, "of": 20}},
        "d": {"reduction": "first", "reported": 99},
        "u": {"reduction": "first", "reported": 99, "steps": [0, 500]},
        "n": {},
    }
    marked = [of_kind[kind.lower()] | ({"set": True} if kind.isupper() else {}) for kind in kinds.replace("S", "A")]
    symptoms = [{"name": f"s{i}", "metric": "progress"} | each for i, each in enumerate(marked)]
    made = study(symptoms=symptoms)
    request, records = asked(made, load_target(made.target), arm), Records(tmp_path)
    assert headline(carry_out(request, records)).endswith(said)


def test_the_next_command_repeats_what_was_set_for_a_shell() -> None:
    command = run_command(Path("my study.yaml"), ["data=/a b/*.json", "lr=1e-3", "note=it's"])
    assert shlex.split(command) == [
        "python", "-m", "ablate", "run", "my study.yaml", "--set", "data=/a b/*.json", "--set", "lr=1e-3", "--set", "note=it's",
    ]  # fmt: skip
    assert run_command(Path("study.yaml")) == "python -m ablate run study.yaml"


def test_the_studys_runs_are_counted_with_what_was_set() -> None:
    sweep = {"noisy": {"param": "noise", "values": [0.5, 1], "fixes": "all_on", "seeds": 6}}
    made = study(symptoms=PLANTED_SYMPTOMS, sweeps=sweep)
    loaded = load_target(made.target)
    assert asked(made, loaded).study_runs == 54  # the arm with all fixes is the sweep's point at 0.5
    assert asked(made, loaded, params={"noise": 0.25}).study_runs == 60


def test_markup_in_names_stays_within_its_cell(tmp_path: Path) -> None:
    symptoms = [{"name": "a | b #x $y$", "fix": "good", "metric": "progress", "comparison": "<", "value": 9, "note": "*|*"}]
    request, records = planted(tmp_path)
    result = carry_out(replace(request, plan=replace(request.plan, study=study(symptoms=symptoms))), records)
    lines = as_markdown(diagnosis_content(result, "python -m ablate run study.yaml")).splitlines()
    row = next(line for line in lines if "#x $y$" in line and line.startswith("| **a"))
    assert row.replace("\\|", "").count("|") == 6


def test_a_study_without_symptoms_is_refused() -> None:
    with pytest.raises(BadInput, match=r"symptoms is missing; add what the report printed, each as \{name, metric, reduction"):
        asked(open_plan().study, target())
