"""What the commands show on a terminal, as rich tables. It prints only to the console it is given."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ablate.analysis.effects import Effect
from ablate.assess import Assessment
from ablate.design import Plan
from ablate.forecast import Forecast
from ablate.tracking import DEFAULT_URI

STYLES = {"helps": "bold green", "harms": "bold red", "negligible": "cyan", "inconclusive": "yellow"}
STYLES |= {"confirmed": "green", "refuted": "red", "untestable": "yellow"}


def stdout() -> Console:
    """A console on stdout; wide enough for the tables where stdout is no terminal."""
    wide = shutil.get_terminal_size((120, 24)).columns
    return Console(width=wide, highlight=False, soft_wrap=False)


def verdict(console: Console, found: Assessment) -> None:
    """Claims, warnings, the headline and the verdict table."""
    if found.claims:
        _claims(console, found)
    for warning in found.warnings:
        console.print(f"[yellow]warning[/yellow] {_escape(warning)}")
    console.print(f"\n[bold]{_escape(found.verdict.headline)}[/bold]\n")
    if found.verdict.fixes:
        console.print(_fixes(found))


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
        cells = [f"{fix.alone.effect:+.3g}", f"{fix.removed.effect:+.3g}", f"{fix.share.effect:+.3g}"]
        word = f"[{STYLES[fix.word]}]{fix.word}[/]"
        table.add_row(_escape(name), word, _interval(fix.effect), _p(fix.p_adjusted), *cells)
    return table


def _claims(console: Console, found: Assessment) -> None:
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("claim", "expected", "observed", "verdict"):
        table.add_column(name, justify="right" if name == "observed" else "left")
    for claim in found.claims:
        observed = "–" if claim.observed is None else f"{claim.observed:.4g}"
        table.add_row(_escape(claim.name), _escape(claim.expected), observed, f"[{STYLES[claim.verdict]}]{claim.verdict}[/]")
    console.print(table)


def where(console: Console, pdf: Path, uri: str | None = None, trained: int | None = None, planned: int = 0) -> None:
    """Where to look next: the PDF, and MLflow's page."""
    console.print("")
    if trained is not None:
        console.print(f"runs      {trained} trained now, {planned} in the study")
    console.print(f"report    {pdf}", soft_wrap=True)
    if uri and uri != "none":
        local = uri == DEFAULT_URI
        console.print("compare   mlflow ui" + ("" if local else f" --backend-store-uri {uri}"), soft_wrap=True)


def plan(console: Console, seen: Forecast) -> None:
    """The dry run."""
    made, study = seen.plan, seen.plan.study
    table = Table(header_style="bold", box=_box(), padding=(0, 1))
    for name in ("fix", "off", "on"):
        table.add_column(name)
    for name, fix in study.fixes.items():
        table.add_row(_escape(name), _params(fix.off), _params(fix.on))
    console.print(f"[bold]{made.name}[/bold]  {made.target.name}", "(quick: a small budget)" if made.quick else "")
    console.print(table)
    rows = [("design", f"{study.design.kind}: {len(made.arms)} arms × {made.seeds} paired seeds")]
    for name, points in made.sweeps.items():
        values = ", ".join(f"{point.value:g}" for point in points)
        rows.append((f"sweep {name}", f"{study.sweeps[name].param} = {values}; {points[0].seeds} seeds"))
    rows.append(("runs", f"{len(made.runs)} in {len(made.cells)} cells; {seen.to_train} to train"))
    rows.append(("time", _time(seen)))
    found = f"{seen.detectable:.2f} × the noise of a run"
    if seen.noise is not None:
        found += f" = {seen.detectable * seen.noise:.3g} of {study.outcome.metric}"
    rows.append(("detects", f"an effect of {found}, with 80 % power"))
    rows.append(
        ("outcome", f"{study.outcome.metric}, {study.outcome.goal}; below {study.outcome.minimum_effect:g} is negligible")
    )
    for key, text in rows:
        console.print(f"{key:<18}{_escape(text)}", soft_wrap=True)


def status(console: Console, made: Plan, now: Mapping[str, Any]) -> None:
    """How far a study has come."""
    keys = ("planned", "done", "failed", "diverged", "running", "missing")
    console.print(f"[bold]{made.name}[/bold]  " + "  ".join(f"{key} {now[key]}" for key in keys))
    for name in now["running_runs"]:
        console.print(f"  training {_escape(name)}")
    if now["seconds_left"]:
        console.print(f"  about {_minutes(now['seconds_left'])} left")


def _time(seen: Forecast) -> str:
    if seen.seconds is None:
        return "unknown until a first run is timed"
    basis = "from runs timed before" if seen.timed else "the target's estimate, without its one-time preparation"
    return f"about {_minutes(seen.seconds)} on {seen.workers} workers ({basis})"


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
