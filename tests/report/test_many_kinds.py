"""A report of every kind of study: it is written, says what it must, and says the same again elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ablate.assess import Assessment, assess
from ablate.engines.base import Result
from ablate.records import Records
from ablate.report import write_report
from tests.report.reading import squeezed
from tests.report.synthetic import THREE_FIXES, add_results, planned

LONG = "_whose_name_is_as_long_as_a_name_may_be_without_being_absurd"
FEW: dict[str, Any] = {"sweeps": {}, "claims": [], "secondary": [], "curves": [], "design": {"seeds": 2}}
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "module_{i}.py", line {i}, in step\n    loss = first(x)\n' for i in range(9)
)
LETTER, A4 = "612 x 792 pts (letter)", "595.276 x 841.89 pts (A4)"


def fixes(count: int, ending: str = "") -> dict[str, Any]:
    return {f"fix_{i:02d}{ending}"[:60]: {"off": {f"p{i}": 0}, "on": {f"p{i}": 1}} for i in range(count)}


def said(found: Assessment, out: Path, paper: str = "a4") -> tuple[str, str]:
    """The text of a report, without white space, and what pdfinfo says of it."""
    pdf = write_report(found, Records(out), out, paper)
    text, about = (
        subprocess.run(words, check=True, capture_output=True, text=True).stdout
        for words in (["pdftotext", "-raw", pdf, "-"], ["pdfinfo", pdf])
    )
    assert not re.search(r"\b(nan|None(?! of the )|inf|auto)\b", text), "a value that was not written as text"
    return squeezed(text), about


def arms(text: str) -> str:
    """The appendix's list of arms, up to the params."""
    return text[text.rindex("Arms") : text.rindex("Paramsthatdifferbetweenarms")]


def test_twelve_fixes_by_a_fraction(tmp_path: Path) -> None:
    plan = planned(**FEW | {"fixes": fixes(12), "design": {"kind": "fractional", "seeds": 2}})
    text, about = said(add_results(plan, tmp_path), tmp_path)
    assert A4 in about
    assert arms(text).count("2of2") == len(plan.arms) == 32
    assert all(squeezed(f"{at} {name}") in text for at, name in enumerate(plan.fixes, 1))


def test_names_of_sixty_characters_on_letter_paper_with_failures(tmp_path: Path) -> None:
    plan = planned(**FEW | {"fixes": fixes(3, LONG)})
    lost = [run.id for run in plan.runs[:2]]
    broken = {lost[0]: f"{TRACEBACK}MemoryError: no room", lost[1]: f"{TRACEBACK}MemoryError: no room"}
    text, about = said(add_results(plan, tmp_path, broken), tmp_path, "letter")
    assert LETTER in about
    assert all(name in text for name in plan.fixes)
    assert arms(text).count("1of2,1failed") == 2
    assert text.count('File"module_8.py",line8,instep') == 1, "the second failure is of the same kind"
    assert "module_0.py" not in text


def test_a_sweep_whose_runs_all_failed_and_seeds_that_are_missing(tmp_path: Path) -> None:
    sweep = {"param": "logit_scale_exp", "values": [5, 25, 100], "seeds": 2}
    plan = planned(
        **FEW | {"sweeps": {"temperature": sweep, "warmup": {**sweep, "param": "bank_warmup"}}, "design": {"seeds": 3}}
    )
    swept = {run_id for point in plan.sweeps["temperature"] for run_id in (f"{point.cell}-0", f"{point.cell}-1")}
    own = {f"{cell}-{seed}" for cell in plan.arm_ids() for seed in range(3)}
    text, _ = said(add_results(plan, tmp_path, dict.fromkeys(swept - own, "OSError: disk full"), skip=2), tmp_path)
    assert squeezed("temperature=5 – 0 of 2, 2 failed") in text
    assert "OSError:diskfull" in text and "runsmissing2" in text


def test_diverged_runs_are_counted_with_their_arm(tmp_path: Path) -> None:
    plan = planned(**FEW | {"outcome": {"metric": "eval/region_top1", "on_divergence": 0.0}, "design": {"seeds": 3}})
    add_results(plan, tmp_path)
    records = Records(tmp_path)
    records.add(Result(plan.runs[0].id, "diverged", 0.0, 1.0, {"eval/region_top1": float("nan")}))
    text, _ = said(assess(plan, records), tmp_path)
    assert "2of3,1diverged" in arms(text) and arms(text).count("3of3") == 7


def test_contexts_have_their_arms_and_params_are_shared_or_differ(tmp_path: Path) -> None:
    plan = planned(**FEW | {"contexts": {"wide": {"batch_size": 16}}, "params": {"batch_size": 4, "layers": 3}})
    text, _ = said(add_results(plan, tmp_path), tmp_path)
    assert "Contextwide" in arms(text) and arms(text).count("2of2") == 16
    shared = text[text.rindex("Paramsthateveryarmshares") :]
    assert "layers3" in shared and "logit_scale_init" not in shared


@pytest.mark.parametrize(
    "kind", [{"kind": "one_at_a_time", "seeds": 2}, {"kind": "custom", "seeds": 2, "arms": ["all_off", "all_on"]}]
)
def test_designs_that_are_no_factorial(tmp_path: Path, kind: dict[str, Any]) -> None:
    chosen = dict(list(THREE_FIXES["fixes"].items())[: 1 if kind["kind"] == "custom" else 3])
    plan = planned(**FEW | {"fixes": chosen, "design": kind})
    text, _ = said(add_results(plan, tmp_path), tmp_path)
    assert arms(text).count("2of2") == len(plan.arms)
    assert "notrecorded:trainedbeforeitwasnoted" in text


def test_a_run_and_a_report_of_its_copy_are_the_same_bytes(cli: Any, tmp_path: Path) -> None:
    given = ("studies/planted.yaml", "--seeds", 3, "--set", "noise=0.2")
    done = cli("run", *given, "--out", "first", "--engine", "inline", "--tracking-uri", "none")
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    (tmp_path / "second/report.pdf").unlink()
    (tmp_path / "second/report.html").unlink()
    assert cli("report", *given, "--out", "second").returncode == 0
    for name in ("report.pdf", "report.html", "runs.csv", "verdict.json", "figures/forest.png", "figures/forest.svg"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    raw = subprocess.run(["pdftotext", "-raw", "first/report.pdf", "-"], cwd=tmp_path, capture_output=True, text=True).stdout
    text = squeezed(raw)
    command = (
        "python -m ablate run studies/planted.yaml --out first --seeds 3 --set noise=0.2 --engine inline --tracking-uri none"
    )
    assert command in " ".join(raw.split()), "it can be copied"
    (sat,) = json.loads((tmp_path / "first/sittings.json").read_text())
    assert sat["command"] == command and "inline,1worker" in text and "devicecpu" in text
