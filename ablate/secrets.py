"""Passwords stay out of what is shown and kept: messages, command lines, notes."""

from __future__ import annotations

import os
import re

from ablate.errors import BadInput

#: Variables that may hold a password of the stores, which the driver alone speaks to.
STORES = (
    "ABLATE_STORAGE",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
)
#: Schemes of URLs without passwords, whose path may have an @.
_FILES = ("sqlite", "file")
_URL = re.compile(r"\b([A-Za-z][\w+.-]*)://([^\s'\"]*)@")
_WORDS = r"(?:password|passwd|pwd|token|secret|credentials?|signature|sig|api_?key|access_?key|secret_?key)"
_PARAM = re.compile(rf"(?<![A-Za-z0-9])([\w.-]*?{_WORDS}=)([^&\s'\"]+)", re.IGNORECASE)
#: What a setting that is only called so may be (`pad_token=0`), and names that mean a password whatever the value.
_PLAIN = re.compile(r"(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|true|false|on|off|yes|no|null|none)?[,;.)\]]*", re.IGNORECASE)
_ALWAYS = re.compile(r"(?:password|passwd|pwd|secret|credentials?|key)=$", re.IGNORECASE)
#: What a password can't hold as it is: what reads the URL would take a part of it for the host, and complain of that part.
_UNSAFE = re.compile(r"[@/#?\[\]\s'\"]")
_SETTING = re.compile(rf"[\w.-]*{_WORDS}=", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text without the passwords of its URLs: `postgresql://me:…@host/db`, `https://…@host`, `?token=…`."""
    return _URL.sub(_masked, _PARAM.sub(_param, text))


def word_without_secrets(word: str) -> str:
    """The same of one word of a command line, which may hold blanks."""
    setting = _SETTING.match(word)
    if setting and "://" not in word:
        return word if _harmless(setting[0], word[setting.end() :]) else f"{setting[0]}…"
    scheme, found, rest = word.partition("://")
    blank_free = "_".join(rest.split()) if found and "@" in rest else rest
    return without_secrets(scheme + found + blank_free)


def check_address(option: str, url: str) -> None:
    """See that a password in a store's URL is told from the rest of it, before anything that could show a part of it reads it.

    Raises:
        BadInput: without the URL.
    """
    scheme, found, rest = url.partition("://")
    if scheme.startswith(_FILES):
        return
    if not found and re.search(r":.*@", url):
        raise BadInput(f"{option}: has a password and is no URL; one begins with postgresql+psycopg:// or the like")
    authority, user = re.split(r"[/?#]", rest)[0], rest.rpartition("@")[0]
    if _UNSAFE.search(user) and ("@" in authority or not re.fullmatch(r"[^:]*(:\d*)?", authority)):
        remedy = "write @ as %40, / as %2F, # as %23, ? as %3F, a blank as %20"
        raise BadInput(f"{option}: its password has a character that a URL can't hold as it is; {remedy}")


def blanks() -> dict[str, str]:
    """What a process that trains inherits in place of what the stores are opened with: nothing."""
    return {name: "" for name in STORES if os.environ.get(name)}


def _harmless(name: str, value: str) -> bool:
    """Whether it is a number or a switch, which no token is."""
    return _PLAIN.fullmatch(value) is not None and not _ALWAYS.search(name)


def _param(found: re.Match[str]) -> str:
    of_url = found.string[: found.start()].endswith(("?", "&"))
    return found[0] if not of_url and _harmless(found[1], found[2]) else f"{found[1]}…"


def _masked(found: re.Match[str]) -> str:
    scheme, user = found[1], found[2].partition(":")
    if scheme.startswith(_FILES):
        return found[0]
    return f"{scheme}://{user[0] + ':' if user[1] else ''}…@"
