"""Passwords stay out of what is shown and kept: messages, command lines, notes."""

from __future__ import annotations

import re

_URL = re.compile(r"\b([A-Za-z][\w+.-]*)://([^\s'\"]*)@")
_WORDS = r"(?:password|passwd|pwd|token|secret|credentials?|signature|sig|api_?key|access_?key|secret_?key)"
_PARAM = re.compile(rf"(?<![A-Za-z0-9])([\w.-]*?{_WORDS}=)[^&\s'\"]+", re.IGNORECASE)
_SETTING = re.compile(rf"[\w.-]*{_WORDS}=", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text without the passwords of its URLs: `postgresql://me:…@host/db`, `https://…@host`, `?token=…`."""
    return _PARAM.sub(r"\1…", _URL.sub(_masked, text))


def word_without_secrets(word: str) -> str:
    """The same of one word of a command line, which may hold blanks."""
    setting = _SETTING.match(word)
    if setting and "://" not in word:
        return f"{setting[0]}…"
    scheme, found, rest = word.partition("://")
    blank_free = "_".join(rest.split()) if found and "@" in rest else rest
    return without_secrets(scheme + found + blank_free)


def _masked(found: re.Match[str]) -> str:
    """Files have no passwords, and may have an @ in their path."""
    scheme, user = found[1], found[2].partition(":")
    if scheme.startswith(("sqlite", "file")):
        return found[0]
    return f"{scheme}://{user[0] + ':' if user[1] else ''}…@"
