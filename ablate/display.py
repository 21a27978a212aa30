"""What the commands show on a terminal, as rich tables. It prints only to the console it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ablate.display_verdict import fixes_table
from ablate.terminal import STYLES, escape, simple_box, stdout

__all__ = ["diagnosed", "diagnosis", "plan", "status", "stdout", "verdict", "where"]

if TYPE_CHECKING:
    from ablate.analysis.claims import ClaimResult
    from ablate.analysis.symptoms import DefectResult, SymptomResult
    from ablate.assess import Assessment
    from ablate.design import Plan
    from ablate.diagnose import Diagnosis
    from ablate.forecast import Forecast


def verdict(console: Console, found: Assessment) -> None:
    """What the answer rests on, then the answer: a terminal shows the end of what was printed."""
    from ablate.checked import summary
    from ablate.report.knobs import sweep_lines

    if found.claims:
        _claims(console, found.claims)
    for line in sweep_lines(found):
        console.print(escape(line), soft_wrap=True)
    console.print(f"checks    {escape(summary(found.checks))}", soft_wrap=True)
    console.print(f"analysis  {escape(found.registered.said)}", soft_wrap=True)
    for warning in found.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")
    console.print(f"\n[bold]{escape(found.verdict.headline)}[/bold]\n")
    if found.verdict.fixes:
        console.print(fixes_table(found, console.width))
    for finding in found.verdict.findings:
        console.print(escape(finding.text))


def _claims(console: Console, claims: Sequence[ClaimResult]) -> None:
    table = Table(header_style="bold", box=simple_box(), padding=(0, 1))
    for name in ("claim", "expected", "observed", "verdict"):
        table.add_column(name, justify="right" if name == "observed" else "left")
    for claim in claims:
        observed = "–" if claim.observed is None else f"{claim.observed:.4g}"
        verdict = f"[{STYLES[claim.verdict]}]{claim.verdict}[/]"
        verdict += f": {escape(claim.detail)}" if claim.verdict != "confirmed" else ""
        table.add_row(escape(claim.name), escape(claim.expected), observed, verdict)
    console.print(table)


def diagnosis(console: Console, found: Diagnosis, headline: str, data: str) -> None:
    """What was reported beside what is observed, the defects with their signs, claims, the data; the headline last."""
    from ablate.report.symptoms import SET

    about = "" if found.reference else "; what was reported is of the training without fixes"
    console.print(f"[bold]{found.plan.name}[/bold]  {escape(found.label)}, one run{about}")
    console.print(_symptoms(found.symptoms))
    if any(result.symptom.set for result in found.symptoms):
        console.print(SET)
    for result in found.symptoms:
        if result.agreement == "untestable":
            console.print(f"[yellow]untestable[/yellow] {escape(f'{result.symptom.name}: {result.detail}')}")
    console.print(_defects(found.defects))
    if found.claims:
        _claims(console, found.claims)
    for figure in found.data:
        console.print(f"{figure.name:<22}{figure.value:<10.4g}{escape(figure.text)}", soft_wrap=True)
    console.print(escape(data))
    for failure in found.failures:
        console.print(f"[red]failed[/red] {escape(failure)}")
    console.print(f"\n[bold]{escape(headline)}[/bold]\n")


def diagnosed(console: Console, markdown: Path, pdf: Path, command: str) -> None:
    """Where a diagnosis lies, and the command that would test the fixes."""
    console.print(f"report    {markdown}\n          {pdf}", soft_wrap=True, markup=False)
    console.print(f"next      {command}", soft_wrap=True, markup=False)


def _symptoms(results: Sequence[SymptomResult]) -> Table:
    table = Table(header_style="bold", box=simple_box(), padding=(0, 1))
    for name in ("symptom", "reported", "observed", "chance allows", "agreement"):
        outer = name in ("symptom", "agreement")
        table.add_column(name, justify="left" if outer else "right", max_width=None if outer else 19, no_wrap=name == "agreement")
    for result in results:
        texts = (result.symptom.name, result.reported_text, result.observed_text, result.chance_text)
        table.add_row(*map(escape, texts), _agreement(result))
    return table


def _agreement(result: SymptomResult) -> str:
    word = f"[{STYLES[result.agreement]}]{result.agreement}[/]"
    return f"{word} (set)" if result.symptom.set else word


def _defects(defects: Sequence[DefectResult]) -> Table:
    table = Table(header_style="bold", box=simple_box(), padding=(0, 1))
    for name in ("defect mended by", "verdict", "signs"):
        table.add_column(name, no_wrap=name == "verdict")
    for defect in defects:
        table.add_row(escape(defect.fix), f"[{STYLES[defect.verdict]}]{defect.verdict}[/]", escape("\n".join(defect.evidence)))
    return table


def where(
    console: Console, pdf: Path, uri: str | None = None, trained: int | None = None, planned: int = 0, shared: str = ""
) -> None:
    """How much was trained and shared, and where to look next: the PDF, what lies beside it, and MLflow's page."""
    from ablate.secrets import without_secrets
    from ablate.tracking import DEFAULT_URI

    console.print("")
    if trained is not None:
        console.print(f"runs      {trained} trained now, {planned} in the study")
        if shared:
            console.print(f"          {shared}", soft_wrap=True, markup=False)
    for name, path in (("report", pdf), ("", pdf.with_suffix(".html")), ("figures", pdf.parent / "figures")):
        if path.exists():
            console.print(f"{name:<10}{path}", soft_wrap=True, markup=False)
    if uri and uri != "none":
        said = "" if uri == DEFAULT_URI else without_secrets(uri)
        console.print("arms      python -m ablate ui" + (f" --tracking-uri {said}" if said else ""), soft_wrap=True)
        if not said.startswith("http"):  # a server shows its page itself
            console.print("compare   mlflow ui" + (f" --backend-store-uri {said}" if said else ""), soft_wrap=True)


def plan(console: Console, seen: Forecast) -> None:
    """The dry run."""
    from ablate.report.knobs import sweep_text

    made, study = seen.plan, seen.plan.study
    table = Table(header_style="bold", box=simple_box(), padding=(0, 1))
    for name in ("fix", "off", "on"):
        table.add_column(name)
    for name, fix in study.fixes.items():
        table.add_row(escape(name), _params(fix.off), _params(fix.on))
    console.print(f"[bold]{made.name}[/bold]", "(quick: a small budget)" if made.quick else "")
    console.print(table)
    rows = [("target", made.target.described)]
    rows.append(
        ("design", f"{study.design.kind}: {len(made.arms)} arms × {'up to ' if seen.looks else ''}{made.seeds} paired seeds")
    )
    rows += _looks(seen)
    if study.contexts:
        rows.append(("contexts", f"the design again in {len(study.contexts)}: {', '.join(study.contexts)}"))
    for name, points in made.sweeps.items():
        rows.append((f"sweep {name}", sweep_text(study.sweeps[name], points)))
    rows += [("warning", said) for said in made.alike]
    most = "at most " if seen.looks else ""
    cells = f"{len(made.cells)} cells{' and the values still to be picked' if made.to_ask else ''}"
    rows.append(("runs", f"{most}{made.planned} in {cells}; {most if seen.to_train else ''}{seen.to_train} to train"))
    rows.append(("time", _time(seen)))
    found = f"{seen.detectable:.2f} × the noise of a run"
    if seen.noise is not None:
        found += f" = {seen.detectable * seen.noise:.3g} of {study.outcome.metric}"
    rows.append(("detects", f"an effect of {found}, with 80 % power" + (" by the last look" if seen.looks else "")))
    rows.append(
        ("outcome", f"{study.outcome.metric}, {study.outcome.goal}; below {study.outcome.minimum_effect:g} is negligible")
    )
    for key, text in rows:
        console.print(f"{key:<18}{escape(text)}", soft_wrap=True)


def _looks(seen: Forecast) -> list[tuple[str, str]]:
    """When a study that may stop early is looked at, and what each look takes."""
    if not seen.looks:
        return []
    listed = ", ".join(f"{look.seeds} seeds ({look.runs} runs)" for look in seen.looks)
    rows = [("looks", f"{listed}; it ends where every fix is decided")]
    if "seeds" in seen.plan.study.design.model_fields_set:
        rows.append(("", f"design.seeds, {seen.plan.study.design.seeds}, is not used: stopping.looks decides how many seeds"))
    return [*rows, ("stands", seen.place)] if seen.place else rows


def status(console: Console, made: Plan, now: Mapping[str, Any]) -> None:
    """How far a study has come."""
    keys = ("planned", "done", "failed", "diverged", "running", "missing")
    console.print(f"[bold]{made.name}[/bold]  " + "  ".join(f"{key} {now[key]}" for key in keys))
    if now["look"]:
        console.print(f"  {now['look']}")
    if now["held_by"]:
        console.print(f"  held by {escape(now['held_by'])}", soft_wrap=True, highlight=False)
    for name in now["running_runs"]:
        console.print(f"  training {escape(name)}")
    if now["seconds_left"]:
        console.print(f"  about {_minutes(now['seconds_left'])} left" + (" to this look" if now["look"] else ""))


def _time(seen: Forecast) -> str:
    if seen.seconds is None:
        return "unknown until a first run is timed"
    basis = "from runs timed before" if seen.timed else "the target's estimate, without its one-time preparation"
    most = "at most " if seen.looks and seen.seconds else ""
    return f"{most}about {_minutes(seen.seconds)} on {seen.workers} workers ({basis})"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _params(params: Mapping[str, Any]) -> str:
    return escape(", ".join(f"{key}={value}" for key, value in params.items()) or "–")
