"""The study's description, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.publication import Publication

#: MLflow takes 8,000 characters in a run's description.
MOST = 7000
#: Warnings that a description has room for.
WARNINGS = 6


def description(found: Publication, files: Mapping[str, str], compared: Mapping[str, str]) -> str:
    """What the study found, where its report is, and how to compare its arms.

    Args:
        files: addresses of what the study left, by name.
        compared: addresses of pages that show its arms side by side, by what they show.
    """
    said = [f"**{_plain(found.headline)}**", _table(found)]
    said += [f"*{_plain(found.place)}*"] if found.place else []
    said += [_warnings(found.warnings)] if found.warnings else []
    said += [f"**The whole report:** {_links(files)}"] if files else []
    said += [_arms(found, compared)] if found.arms else []
    while len("\n\n".join(said)) > MOST and len(said) > 1:  # a study with very many arms has very long addresses
        del said[-1]
    return "\n\n".join(part for part in said if part)[:MOST]


def _arms(found: Publication, compared: Mapping[str, str]) -> str:
    return (
        f"**Its {len(found.arms)} arms side by side:** {_links(compared)}. Each arm is a run (tag `kind` is `arm`): `_mean`, "
        f"`_low` and `_high` are the mean over its seeds and its 95 % interval.{_unlike(found)} The trainings are under the "
        "study's run. To see both sides of a fix, search for `tags.kind = 'run' and tags.part = 'design'` and group by its tag "
        "`fix.`: trainings of sweeps and contexts would mix other settings in."
    )


def _unlike(found: Publication) -> str:
    """Which curves not to compare between arms."""
    if not found.incomparable:
        return ""
    names = ", ".join(f"`{name}`" for name in found.incomparable)
    return f" {names} can't be compared across arms."


def _links(pages: Mapping[str, str]) -> str:
    return ", ".join(f"[{_plain(name)}]({page})" for name, page in pages.items())


def _table(found: Publication) -> str:
    """Fix, verdict, effect with its interval; empty where the verdict was withheld."""
    if not found.table:
        return ""
    rows = [f"| {_plain(name)} | {word} | {_effect(effect, low, high)} |" for name, word, effect, low, high, *_ in found.table]
    return "\n".join([f"| fix | verdict | effect on {_plain(found.outcome)} |", "| --- | --- | --- |", *rows])


def _effect(effect: float, low: float, high: float) -> str:
    return f"{_signed(effect)} (95 % interval {_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def _warnings(warnings: tuple[str, ...]) -> str:
    shown = [f"- {_plain(text)}" for text in warnings[:WARNINGS]]
    more = len(warnings) - len(shown)
    return "\n".join(["Before believing it:", "", *shown, *([f"- and {more} more, in the report"] if more else [])])


def _plain(text: Any) -> str:
    """Text that Markdown takes for nothing else, on one line."""
    line = " ".join(str(text).split())
    for mark in "\\`*_[]<>|":
        line = line.replace(mark, f"\\{mark}")
    return line
