"""Values of every kind, as study files and data sets may spell them, and the text of a value in YAML's and JSON's common form."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Raw:
    """Text that stands in a file as it is, whether or not it is a value there."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """A mapping whose keys may repeat."""

    items: tuple[tuple[str, Any], ...]


#: What YAML may spell, right or wrong.
YAML = [".nan", ".inf", "-.inf", "1e400", "-1e400", "-0.0", "0", "-1", "1", "2", "0.5", "1_000", "0x10", "0o17", "010", "1:30"]
YAML += ["2020-01-01", "2020-13-45", "true", "false", "null", "~", "on", "off", "'5'", '"1e3"', "1" + "0" * 400, "9" * 5000]
YAML += [
    "0x" + "f" * 5000,
    "9223372036854775808",
    "18446744073709551616",
    "5e-324",
    "1e308",
    "!!int '5'",
    "!!float x",
    "!!bool x",
]
YAML += [
    "!!python/object/apply:os.getcwd []",
    "!!python/name:os.getcwd",
    "!foo 1",
    "!!binary aGk=",
    "!!set {a, b}",
    "[]",
    "{}",
    "''",
]
YAML += [
    "&a [*a]",
    "*nowhere",
    "&b [1, 2]",
    "[*b, *b]",
    "{<<: {a: 1}}",
    "[[[[[1]]]]]",
    "[1, 2, 3]",
    "{a: 1}",
    "{a: 1, a: 2}",
    '"\\0"',
]
YAML += [
    '"\\ud800"',
    '"\\e[31m\\n"',
    "'" + "x" * 3000 + "'",
    "..",
    "../..",
    "a/b",
    "CON",
    "'a.'",
    "é漢😀",
    "[" * 60 + "]" * 60,
    "? 1",
    "- 1",
    ": :",
]
#: The same in JSON.
JSON = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-0.0",
    "0",
    "1",
    "-1",
    "0.5",
    "2",
    "true",
    "false",
    "null",
    '""',
    '" "',
    '"5"',
    "[]",
    "{}",
]
JSON += [
    "1" + "0" * 400,
    "9" * 5000,
    "5e-324",
    "1e308",
    '"\\u0000"',
    '"\\ud800"',
    '"\\u001b[31m"',
    "[[[[1]]]]",
    '{"a":1,"a":2}',
    "'x'",
    "1,",
    "[",
]
JSON += [
    "[" * 300 + "]" * 300,
    "[" * 3000 + "]" * 3000,
    '"' + "x" * 3000 + '"',
    "[0,0,1,1]",
    "[0.1,0.1,0.5,0.5,0.9]",
    "[1,1,0,0]",
    "[0,0,0,0]",
    "[NaN,0,1,1]",
]


def written(value: Any) -> str:
    """A value as JSON and as flow YAML have it, with what is raw in it as it is."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {written(part)}" for key, part in value.items) + "}"
    if isinstance(value, dict):
        return written(Pairs(tuple((str(key), part) for key, part in value.items())))
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a value of dicts and lists, but for the whole."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, part in parts for each in ((*path, key), *places(part, (*path, key)))]


def mutated(value: Any, rng: random.Random, odd: list[str], keep: Callable[[tuple[Any, ...]], bool]) -> Any:
    """A copy of a value of dicts and lists with one to three changes: what lies at some place lost, replaced, doubled, renamed or
    moved. Places that `keep` names stay."""
    copy = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        there = [path for path in places(copy) if not keep(path)]
        if there:
            _change(copy, rng.choice(there), rng, odd)
    return copy


def _change(whole: Any, path: tuple[Any, ...], rng: random.Random, odd: list[str]) -> None:
    owner = whole
    for key in path[:-1]:
        owner = owner[key]
    key, how = path[-1], rng.randrange(7)
    if how == 0:
        del owner[key]
    elif how == 1 and isinstance(owner, dict):
        owner[rng.choice(["", " ", "x" * 300, "a\nb", "a/b", "\u202e", "on", "5", str(key) + "s", str(key)[:-1]])] = owner.pop(
            key
        )
    elif how == 2 and isinstance(owner, list):
        owner.extend([owner[key]] * rng.choice((1, 2, 50)))
    elif how == 3:
        other = rng.choice(places(whole))
        found = whole
        for part in other:
            found = found[part]
        owner[key] = json.loads(json.dumps(found, default=lambda raw: raw.text))
    elif how == 4:
        owner[key] = [owner[key]]
    else:
        owner[key] = Raw(rng.choice(odd))


def damaged(text: bytes, rng: random.Random, odd: list[str]) -> bytes:
    """A text with a few bytes lost, put in, doubled or turned, cut short, or in another encoding."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, length, how = rng.randrange(len(text) + 1), rng.choice((1, 1, 2, 8, 60)), rng.randrange(7)
        if how == 0:
            text = text[:at] + text[at + length :]
        elif how == 1:
            text = text[:at] + rng.choice(odd).encode(errors="surrogatepass") + text[at:]
        elif how == 2:
            text = (
                text[:at]
                + rng.choice([b" ", b"\n", b":", b"- ", b"[", b"}", b'"', b"'", b"#", b"&a ", b"*a", b"\t", b"|", b"%"])
                + text[at:]
            )
        elif how == 3:
            text = text[:at] + bytes(rng.randrange(256) for _ in range(rng.choice((1, 1, 4)))) + text[at:]
        elif how == 4:
            text = text[:at] + text[at : at + length] * rng.choice((2, 3, 20)) + text[at + length :]
        elif how == 5 and rng.random() < 0.5:
            text = text[:at]
        elif how == 6 and rng.random() < 0.1:
            text = rng.choice(
                [b"\xef\xbb\xbf" + text, text.decode(errors="replace").encode("utf-16"), text.replace(b"\n", b"\r")]
            )
    return text
