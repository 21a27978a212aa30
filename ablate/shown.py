"""What messages show of what a user wrote: on one line, of bounded length, with nothing that a terminal would act on."""

from __future__ import annotations

import re
import reprlib
from typing import Any

from ablate.secrets import without_secrets

#: Characters of a value in a message, and of a whole message.
VALUE, MESSAGE = 80, 400
#: Of what is longer than this, the ends alone are looked at.
LONG = 20_000

#: A terminal's colours and the like; and any other character that no store, font or terminal should be given.
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def plain(text: str) -> str:
    """A text that any store, font and terminal takes: without colours, and with a mark in place of other control characters."""
    if text.isprintable():  # nearly always, and of every metric that is logged
        return text
    return _CONTROL.sub("\ufffd", _ANSI.sub("", text.replace("\r\n", "\n")))


def shown(value: Any, most: int = VALUE) -> str:
    """A value as a message has it: `'off'`, `0.5`, `a list`; of a long text its two ends, without passwords.

    Args:
        value: of a study file or a data set, and so of any size.
        most: characters at most.
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return repr(ends(without_secrets(ends(value, LONG)), most))
    if isinstance(value, int) and value.bit_length() > 4 * most:  # Python refuses to write out thousands of digits
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, dict | list | tuple):
        return ends(_listed(value, most), most)
    return ends(repr(value), most)


def one_line(text: str, most: int = MESSAGE) -> str:
    """A message on one line without passwords: blanks and line ends as one blank, other control characters escaped, and of a long
    one its two ends, since the key stands at its start and the remedy at its end."""
    words = " ".join(without_secrets(ends(text, LONG)).split())
    return ends("".join(each if each.isprintable() or each == " " else _escaped(each) for each in words), most)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def ends(text: str, most: int = VALUE) -> str:
    """The text, or three quarters of what fits from its start and the rest from its end."""
    if len(text) <= most:
        return text
    start = 3 * (most - 3) // 4
    return f"{text[:start]} … {text[len(text) - (most - 3 - start) :]}"


def _listed(value: Any, most: int) -> str:
    """A list or a mapping as Python writes it, of its first few items: no deeper than three levels, whatever it holds."""
    writer = reprlib.Repr()
    writer.maxlevel, writer.maxlist, writer.maxtuple, writer.maxdict = 3, 8, 8, 8
    writer.maxstring = writer.maxlong = writer.maxother = most
    return writer.repr(value)
