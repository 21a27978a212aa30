"""What the commands show on a terminal, as rich tables. It prints only to the console it is given."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ablate.analysis.claims import ClaimResult
    from ablate.analysis.effects import Effect
    from ablate.analysis.symptoms import DefectResult, SymptomResult
    from ablate.assess import Assessment
    from ablate.audit import Audit
    from ablate.design import Plan
    from ablate.diagnose import Diagnosis
    from ablate.forecast import Forecast

STYLES = {"helps": "bold green", "harms": "bold red", "negligible": "cyan", "inconclusive": "yellow"}
STYLES |= {"confirmed": "green", "refuted": "red", "untestable": "yellow"}
STYLES |= {"consistent": "green", "differs": "red", "not reported": "dim", "found": "bold red", "not found": "bold green"}
STYLES |= {"unclear": "yellow"}


def stdout() -> Console:
    """A console on stdout; wide enough for the tables where stdout is no terminal."""
    wide = shutil.get_terminal_size((120, 24)).columns
    return Console(width=wide, highlight=False, soft_wrap=False)


def verdict(console: Console, found: Assessment) -> None:
    """Claims, warnings, the headline, the verdict table, and how the study's own checks ended."""
    from ablate.checked import summary
    from ablate.report.knobs import sweep_lines

    if found.claims:
        _claims(console, found.claims)
    for warning in found.warnings:
        console.print(f"[yellow]warning[/yellow] {_escape(warning)}")
    console.print(f"\n[bold]{_escape(found.verdict.headline)}[/bold]")
    for finding in found.verdict.findings:
        console.print(_escape(finding.text), soft_wrap=True)
    console.print()
    if found.verdict.fixes:
        console.print(_fixes(found))
    for line in sweep_lines(found):
        console.print(_escape(line), soft_wrap=True)
    console.print(f"checks    {_escape(summary(found.checks))}", soft_wrap=True)
    console.print(f"analysis  {_escape(found.registered.said)}", soft_wrap=True)


def _fixes(found: Assessment) -> Table:
    table = Table(title_justify="left", header_style="bold", box=_box(), padding=(0, 1))
    outcome = found.plan.study.outcome
    table.add_column("fix", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column(f"effect on {outcome.metric} [95 % interval]", justify="right")
    for name in ("p adj.", "alone", "removed", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in found.verdict.ranking:
        fix = found.verdict.fixes[name]
        cells = [f"{part.effect:+.3g}" if part else "–" for part in (fix.alone, fix.removed, fix.share)]
        word = f"[{STYLES[fix.word]}]{fix.word}[/]"
        table.add_row(_escape(name), word, _interval(fix.effect), _p(fix.p_adjusted), *cells)
    return table


def _claims(console: Console, claims: Sequence[ClaimResult]) -> None:
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("claim", "expected", "observed", "verdict"):
        table.add_column(name, justify="right" if name == "observed" else "left")
    for claim in claims:
        observed = "–" if claim.observed is None else f"{claim.observed:.4g}"
        verdict = f"[{STYLES[claim.verdict]}]{claim.verdict}[/]"
        verdict += f": {_escape(claim.detail)}" if claim.verdict != "confirmed" else ""
        table.add_row(_escape(claim.name), _escape(claim.expected), observed, verdict)
    console.print(table)


def diagnosis(console: Console, found: Diagnosis, headline: str, data: str) -> None:
    """What was reported beside what is observed, the defects with their signs, claims, the data; the headline last."""
    from ablate.report.symptoms import SET

    about = "" if found.reference else "; what was reported is of the training without fixes"
    console.print(f"[bold]{found.plan.name}[/bold]  {_escape(found.label)}, one run{about}")
    console.print(_symptoms(found.symptoms))
    if any(result.symptom.set for result in found.symptoms):
        console.print(SET)
    for result in found.symptoms:
        if result.agreement == "untestable":
            console.print(f"[yellow]untestable[/yellow] {_escape(f'{result.symptom.name}: {result.detail}')}")
    console.print(_defects(found.defects))
    if found.claims:
        _claims(console, found.claims)
    for figure in found.data:
        console.print(f"{figure.name:<22}{figure.value:<10.4g}{_escape(figure.text)}", soft_wrap=True)
    console.print(_escape(data))
    for failure in found.failures:
        console.print(f"[red]failed[/red] {_escape(failure)}")
    console.print(f"\n[bold]{_escape(headline)}[/bold]\n")


def diagnosed(console: Console, markdown: Path, pdf: Path, command: str) -> None:
    """Where a diagnosis lies, and the command that would test the fixes."""
    console.print(f"report    {markdown}\n          {pdf}", soft_wrap=True, markup=False)
    console.print(f"next      {command}", soft_wrap=True, markup=False)


def _symptoms(results: Sequence[SymptomResult]) -> Table:
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("symptom", "reported", "observed", "chance allows", "agreement"):
        outer = name in ("symptom", "agreement")
        table.add_column(name, justify="left" if outer else "right", max_width=None if outer else 19, no_wrap=name == "agreement")
    for result in results:
        texts = (result.symptom.name, result.reported_text, result.observed_text, result.chance_text)
        table.add_row(*map(_escape, texts), _agreement(result))
    return table


def _agreement(result: SymptomResult) -> str:
    word = f"[{STYLES[result.agreement]}]{result.agreement}[/]"
    return f"{word} (set)" if result.symptom.set else word


def _defects(defects: Sequence[DefectResult]) -> Table:
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("defect mended by", "verdict", "signs"):
        table.add_column(name, no_wrap=name == "verdict")
    for defect in defects:
        table.add_row(_escape(defect.fix), f"[{STYLES[defect.verdict]}]{defect.verdict}[/]", _escape("\n".join(defect.evidence)))
    return table


def where(console: Console, pdf: Path, uri: str | None = None, trained: int | None = None, planned: int = 0) -> None:
    """Where to look next: the PDF, and MLflow's page."""
    from ablate.tracking import DEFAULT_URI

    console.print("")
    if trained is not None:
        console.print(f"runs      {trained} trained now, {planned} in the study")
    console.print(f"report    {pdf}", soft_wrap=True)
    if uri and uri != "none":
        local = uri == DEFAULT_URI
        console.print("compare   mlflow ui" + ("" if local else f" --backend-store-uri {uri}"), soft_wrap=True)


def plan(console: Console, seen: Forecast) -> None:
    """The dry run."""
    from ablate.report.knobs import sweep_text

    made, study = seen.plan, seen.plan.study
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("fix", "off", "on"):
        table.add_column(name)
    for name, fix in study.fixes.items():
        table.add_row(_escape(name), _params(fix.off), _params(fix.on))
    console.print(f"[bold]{made.name}[/bold]  {made.target.name}", "(quick: a small budget)" if made.quick else "")
    console.print(table)
    rows = [("design", f"{study.design.kind}: {len(made.arms)} arms × {'up to ' if seen.looks else ''}{made.seeds} paired seeds")]
    rows += _looks(seen)
    if study.contexts:
        rows.append(("contexts", f"the design again in {len(study.contexts)}: {', '.join(study.contexts)}"))
    for name, points in made.sweeps.items():
        rows.append((f"sweep {name}", sweep_text(study.sweeps[name], points)))
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
        console.print(f"{key:<18}{_escape(text)}", soft_wrap=True)


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
    for name in now["running_runs"]:
        console.print(f"  training {_escape(name)}")
    if now["seconds_left"]:
        console.print(f"  about {_minutes(now['seconds_left'])} left" + (" to this look" if now["look"] else ""))


def audit(console: Console, found: Audit) -> None:
    """What a data set's boxes are like: what is invalid first, what the diagnosis's rule would do last."""
    console.print(f"[bold]{_escape(found.data)}[/bold]  {found.form}, {_many(found.files, 'file')}", soft_wrap=True)
    _data(console, found)
    console.print(f"\n{_invalid(found)}")
    for box in found.first:
        place = f"annotation {box.box}" if found.form == "COCO" else f"row {box.row} box {box.box}"
        name = _escape(f"{box.file} {place}: {box.bbox}")
        console.print(f"  {name}  {box.reason.replace('_', ' ')}", soft_wrap=True)
    for table in (_reasons(found), _rules(found), _areas(found, min(30, max(4, console.width - 68)))):
        console.print(table)
    quantiles = found.quantiles()
    if quantiles:
        low, middle, high = (_percent(quantiles[share]) for share in (0.05, 0.5, 0.95))
        spread = f"half of the sound boxes are below {middle} of their image; 90 % lie between {low} and {high}"
        console.print(spread, soft_wrap=True)
    console.print(f"\n[bold]{_escape(found.headline)}[/bold]", soft_wrap=True)


def _data(console: Console, found: Audit) -> None:
    texts = found.texts
    without = f"; {found.rows_without_boxes} without boxes" if found.rows_without_boxes else ""
    crowd = f", and {found.crowd_boxes} of crowds, not counted" if found.crowd_boxes else ""
    empty = f"; {_many(texts.empty_expressions, 'box', 'boxes')} without" if texts.empty_expressions else ""
    console.print(f"rows      {found.rows}, of {_many(found.images, 'image')}{without}")
    console.print(f"boxes     {found.boxes}{crowd}")
    console.print(f"texts     {_many(texts.distinct_expressions, 'distinct expression')} among {texts.expressions}{empty}")
    for kind, count in found.faults.items():
        console.print(f"[yellow]faults[/yellow]    {_many(count, 'row')}: {kind}")
    for text in found.first_faults:
        console.print(f"          {_escape(text)}", soft_wrap=True)
    for note in found.notes:
        console.print(f"note      {_escape(note)}", soft_wrap=True)


def _invalid(found: Audit) -> str:
    if not found.invalid:
        return f"[bold green]0 invalid[/bold green] of {_many(found.boxes, 'box', 'boxes')}"
    boxes = f"{_many(found.boxes, 'box', 'boxes')} ({_share(found.invalid, found)})"
    text = f"[bold red]{found.invalid} invalid[/bold red] of {boxes}"
    return text + (f"; the first {len(found.first)}:" if found.invalid > len(found.first) else ":")


def _reasons(found: Audit) -> Table:
    table = _counts("each box once, by the first that applies", "boxes")
    for reason, count in found.reasons.items():
        sound = reason == "below_area"
        name = f"sound, but below {_percent(found.min_area)} of its image" if sound else reason.replace("_", " ")
        style = "dim" if not count else "yellow" if sound else "red"
        table.add_row(name, f"[{style}]{count}[/]", f"[{style}]{_share(count, found)}[/]")
    return table


def _rules(found: Audit) -> Table:
    table = _counts("a rule, by itself", "discards")
    names = {"finite": "finite", "ordered": "x1 < x2 and y1 < y2", "inside": "inside the image", "area": "area ≥ {}"}
    names["diagnosis"] = "the diagnosis's: all these, area ≥ {}"
    for rule in found.rules:
        name = names[rule.rule].format(_percent(rule.min_area or 0))
        style = "bold" if rule.rule == "diagnosis" else "" if rule.discards else "dim"
        table.add_row(name, str(rule.discards), _share(rule.discards, found), style=style)
    return table


def _areas(found: Audit, width: int) -> Table:
    """The histogram of areas as bars of at most `width`; below the least area in yellow."""
    from ablate.audit import EDGES

    counts = found.histogram()
    table = _counts("area of sound boxes", "boxes")
    table.add_column("", no_wrap=True)
    for low, high, count in zip(EDGES, EDGES[1:], counts, strict=False):
        bar = "█" * round(width * count / max(1, *counts)) or ("▏" if count else "")
        name = f"{_percent(low)} to {_percent(high)}"
        table.add_row(name, str(count), _share(count, found), f"[{'yellow' if high <= found.min_area else 'cyan'}]{bar}[/]")
    return table


def _counts(name: str, counted: str) -> Table:
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    table.add_column(name, no_wrap=True, min_width=41)
    table.add_column(counted, justify="right", min_width=8)
    table.add_column("share", justify="right", min_width=7)
    return table


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _share(count: int, found: Audit) -> str:
    return f"{100 * count / found.boxes:.1f} %" if found.boxes else "–"


def _time(seen: Forecast) -> str:
    if seen.seconds is None:
        return "unknown until a first run is timed"
    basis = "from runs timed before" if seen.timed else "the target's estimate, without its one-time preparation"
    most = "at most " if seen.looks and seen.seconds else ""
    return f"{most}about {_minutes(seen.seconds)} on {seen.workers} workers ({basis})"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _interval(effect: Effect) -> str:
    low, high = effect.ci()
    return f"{effect.effect:+.3g} \\[{low:+.3g}, {high:+.3g}]"


def _p(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _params(params: Mapping[str, Any]) -> str:
    return _escape(", ".join(f"{key}={value}" for key, value in params.items()) or "–")


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _box() -> Any:
    from rich import box

    return box.SIMPLE_HEAD
