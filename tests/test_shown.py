"""What messages show of what a user wrote: bounded, on one line, without passwords or what a terminal would act on."""

from __future__ import annotations

import pytest

from ablate.shown import MESSAGE, VALUE, one_line, plain, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        ("off", "'off'"),
        ("a\n\x1b[31m", r"'a\n\x1b[31m'"),
        (10**5000, "a whole number of 16610 bits"),
        ([1, [2, [3, [4]]]], "[1, [2, [3, [...]]]]"),
        ("postgresql://me:SECRET@host/db", "'postgresql://me:…@host/db'"),
    ],
    ids=range(8),
)
def test_a_value_is_shown(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("value", ["x" * 100_000, list(range(9999)), {"k" * 999: "v" * 999}, ["y" * 500] * 3, b"z" * 5000])
def test_a_long_value_is_shown_by_its_ends(value: object) -> None:
    assert len(shown(value)) <= VALUE + 2 and ("…" in shown(value) or "..." in shown(value))


def test_a_message_is_one_line_with_its_key_and_its_remedy() -> None:
    said = one_line("key: \x1b[2J " + "x\n" * 5000 + "https://me:SECRET@host " + "y" * 50 + "; mend it")
    assert len(said) <= MESSAGE and said.isprintable()
    assert said.startswith(r"key: \x1b[2J") and said.endswith("; mend it") and "SECRET" not in said


def test_a_plain_text_is_one_that_any_store_takes() -> None:
    assert plain("a\x1b[1;31mb\x1b[0m\r\n\tc\0\udcff") == "ab\n\tc\ufffd\ufffd"
