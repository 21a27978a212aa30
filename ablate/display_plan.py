"""What `plan` shows of designs on a terminal: those that the fixes could have, and what a fraction can't tell apart."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablate.analysis.fractions import Fraction
from ablate.arms import fraction_of
from ablate.forecast import Forecast
from ablate.options import MOST_SEEDS, Comparison, Option, looks_for
from ablate.report.text import MINUS, duration, number

#: Up to so many aliases in all, main effects' are listed; beyond, counted.
MOST_ALIASES = 12


def designs(console: Console, seen: Forecast) -> None:
    """The designs side by side, which one to take and why; of a fractional study its alias structure."""
    found = seen.designs
    console.print(_table(found))
    rows = [("●", "this study's design" + _also(found.options))]
    rows.append(("detects", f"the smallest main effect found with 80 % power at {seen.plan.seeds} seeds, {_unit(seen)}"))
    rows += [("finds", found.basis)] if found.basis else []
    rows += _taken(seen)
    if part := fraction_of(seen.plan.study):
        rows += [("", ""), *_aliases(part)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, min_width=16)
    grid.add_column()
    for key, text in rows:
        grid.add_row(key, escape(text), style="bold" if key == "would take" else None)
    console.print(grid)


def _table(found: Comparison) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1), title_justify="left")
    table.add_column("design", no_wrap=True)
    timed = any(option.seconds is not None for option in found.options)
    for name in ("arms", "runs", *(["time"] if timed else []), "detects"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("finds " + ("1 × noise" if found.sought is None else f"{found.sought:g}") + " with", justify="right")
    table.add_column("two-way interactions", min_width=12)
    for option in found.options:
        time = [duration(option.seconds)] if option.seconds is not None else []
        shown = (str(option.arms), str(option.runs), *time, _detects(option, found.noise), _finds(option), str(option.pairs))
        name = f"{option.label} ●" if option.own else option.label
        table.add_row(name, *shown, style="bold" if option.own else None)
    return table


def _detects(option: Option, noise: float | None) -> str:
    return f"{option.detectable:.2f} × noise" if noise is None else number(option.detectable * noise)


def _finds(option: Option) -> str:
    return f"more than {MOST_SEEDS} seeds" if option.needed is None else f"{option.seeds} seeds, {option.needed} runs"


def _unit(seen: Forecast) -> str:
    noise = seen.designs.noise
    return "in the noise of a run" if noise is None else f"of {seen.plan.study.outcome.metric}; a run's noise is {number(noise)}"


def _also(options: Sequence[Option]) -> str:
    """Which other kinds come to the same arms."""
    same = [f"{' and '.join(option.also)} of these fixes has the arms of {option.kind}" for option in options if option.also]
    return "".join(f"; {text}" for text in same)


def _taken(seen: Forecast) -> list[tuple[str, str]]:
    taken = seen.designs.taken
    if taken is None or taken.seeds is None:
        return [("would take", "none"), ("because", seen.designs.why)]
    asked = f"design: {{{taken.section}, seeds: {taken.seeds}}}"
    if seen.looks:
        looks = looks_for(seen.plan, taken.seeds)
        asked = f"design: {{{taken.section}}}, stopping: {{looks: {looks}}}; design.seeds is not used"
    most = "at most " if seen.looks else ""
    return [("would take", f"{taken.label}, {most}{taken.needed} runs: {asked}"), ("because", seen.designs.why)]


def _aliases(part: Fraction) -> list[tuple[str, str]]:
    """Generators, resolution and alias structure, in the fixes' names."""
    arms = "all off and all on among them" if frozenset(part.factors) in part.arms else "all off among them, but not all on"
    rows = [("fraction", f"{part.name}: {len(part.arms)} of {2 ** len(part.factors)} arms, {arms}")]
    rows.append(("generators", ", ".join(part.generated).replace("-", MINUS)))
    rows.append(("where", ", ".join(f"{letter}={name}" for letter, name in part.letters.items())))
    return rows + _main_effects(part) + _two_way(part)


def _main_effects(part: Fraction) -> list[tuple[str, str]]:
    count = sum(map(len, part.mains.values()))
    if not count:
        return [("main effects", "clear of all two-way and three-way interactions")]
    if count > MOST_ALIASES:
        return [("main effects", f"clear of two-way interactions; aliased with {count} three-way ones, which plan --json lists")]
    listed = [("", "· " + " = ".join((name, *map("*".join, aliases)))) for name, aliases in part.mains.items() if aliases]
    return [("main effects", "clear of two-way interactions; each line is told only as a sum:"), *listed]


def _two_way(part: Fraction) -> list[tuple[str, str]]:
    aliased = [group for group in part.pairs if len(group) > 1]
    if not aliased:
        return [("two-way", "each clear of the others")]
    rows = [("two-way", "each line is told only as a sum, so none of its pairs is ever claimed:")]
    rows += [("", "· " + " = ".join(map("*".join, group))) for group in aliased]
    clear = ", ".join("*".join(group[0]) for group in part.pairs if len(group) == 1)
    return [*rows, ("", f"clear of the others: {clear}")] if clear else rows
