"""Numbers and names as the report writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ablate.analysis.effects import Effect, decimals

T = TypeVar("T")
MINUS = "\N{MINUS SIGN}"


#: A hyphen that is a minus: before a figure, and after nothing that makes it part of a name, a range, a date or an exponent.
_HYPHEN = re.compile(r"(?<![\w.\)\]\-/:])-(?=\.?\d)")
#: Fields whose strings are shown as they were given: names, ids, params, errors.
VERBATIM = frozenset(
    {"study", "name", "fix", "param", "params", "meaning", "metric", "id", "cell", "error", "command", "versions"}
)


def with_minus(said: T) -> T:
    """The same content with a true minus before every negative number, whatever wrote it; strings shown verbatim stay.

    Args:
        said: a string, or dataclasses, mappings and tuples of such.
    """
    made: Any = said
    if isinstance(said, str):
        made = true_minus(said)
    elif isinstance(said, tuple | list):
        made = type(said)(map(with_minus, said))
    elif isinstance(said, Mapping):
        made = {key: value if key in VERBATIM else with_minus(value) for key, value in said.items()}
    elif is_dataclass(said) and not isinstance(said, type):
        changed = {f.name: with_minus(getattr(said, f.name)) for f in fields(said) if f.name not in VERBATIM}
        made = replace(said, **changed)
    typed: T = made
    return typed


def number(value: float | None, digits: int = 3) -> str:
    """A value to some significant digits, with a true minus; `–` where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    scientific = f"{value:.{digits - 1}e}"
    size = int(scientific.partition("e")[2])
    if -4 <= size <= 5:
        places = digits - 1 - size
        return f"{round(value, places):.{max(0, places)}f}".replace("-", MINUS)
    return scientific.replace("-", MINUS)


def signed(value: float, places: int) -> str:
    """A value with its sign and so many decimals."""
    if not math.isfinite(value):
        return "–"
    rounded = round(value, places)
    return f"{rounded:+.{places}f}".replace("-", MINUS) if rounded else f"{0:.{places}f}"


def point(effect: Effect, places: int | None = None) -> str:
    """The effect alone: `+0.041`; to so many decimals, or as many as its own interval tells."""
    return signed(effect.effect, decimals(effect) if places is None else places)


def interval(effect: Effect, places: int | None = None) -> str:
    """Its 95 % interval: `[+0.012, +0.070]`."""
    low, high = effect.ci()
    places = decimals(effect) if places is None else places
    return f"[{signed(low, places)}, {signed(high, places)}]"


def p_value(p: float) -> str:
    """A p value: two digits, and none below 0.001."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def param(value: Any) -> str:
    """A param's value as the study file has it."""
    if isinstance(value, float) and value == 0:
        return "0"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) and 1e-4 <= abs(value) < 1e6 and len(f"{value:g}") < 7 else str(value)


def duration(seconds: float) -> str:
    """A time span in the unit that a person would choose."""
    if seconds < 90:
        return f"{number(seconds, 2)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def clipped(text: str, width: int) -> str:
    """The text, cut in its middle where it is longer than `width`: ends of names tell them apart."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def true_minus(text: str) -> str:
    """The text with a true minus before each negative number; hyphens within words and names stay."""
    return _HYPHEN.sub(MINUS, text)


def plural(count: int, noun: str) -> str:
    """`1 seed`, `6 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
