"""A folder that was copied is another one: two of one name would write to one place in MLflow and take away each other's runs."""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablate.files import write_atomic
from ablate.records import Records

#: Where a folder notes its own place, and its name (`Records.identity`).
NOTE, NAME = ".home", "id"
#: Former places that are noted.
MOST = 50


@dataclass(frozen=True)
class Place:
    """Where a folder lies, or lay.

    Attributes:
        path, host: on which machine; without a host, it was noted before there were hosts, on this one.
        inode: its number in the file system.
    """

    path: str
    host: str = ""
    inode: int = 0

    @classmethod
    def of(cls, out: Path) -> Place:
        """Where a folder is now."""
        return cls(str(out.resolve()), platform.node(), out.stat().st_ino)

    @classmethod
    def told(cls, text: str) -> Place | None:
        """The place that a note or a store tells of, if any."""
        try:
            found = json.loads(text)
            return cls(str(found["path"]), str(found["host"]), int(found["inode"]))
        except (ValueError, KeyError, TypeError):
            return cls(text) if text.startswith("/") else None

    @property
    def here(self) -> bool:
        """Whether it is on this machine."""
        return self.host in ("", platform.node())

    def is_at(self, out: Path) -> bool:
        """Whether it is this folder, on this machine."""
        try:
            return self.here and Path(self.path).samefile(out)
        except OSError:
            return False

    def has(self, name: str) -> bool:
        """Whether a folder of this name is still there, as far as this machine can tell."""
        return self.here and _read(Path(self.path) / NAME) == name

    @property
    def text(self) -> str:
        """As it is told to a store."""
        return json.dumps(vars(self))


def own(out: Path) -> bool:
    """See that a folder has a name of its own: a copy of one that is still there loses the other's, a folder that moved keeps it.

    Returns:
        whether it was a copy, or turned out to be one in the last command (`Home.rename`).
    """
    name, note, here = _read(out / NAME), _read(out / NOTE), Place.of(out)
    before = Place.told(note)
    copied = bool(name) and before is not None and not before.is_at(out) and before.has(name)
    if copied:
        (out / NAME).unlink()
    former = [] if copied else _former(note) + ([before] if before and before != here else [])
    _write(out, here, former)
    return copied or _renamed(note)


class Home:
    """A folder's place, and whether a store's runs of its name are its own.

    Args:
        out: the folder, of which `own` has seen.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    @property
    def text(self) -> str:
        """As it is told to a store."""
        return Place.of(self._out).text

    def is_anothers(self, told: str) -> bool:
        """Whether what a store has under this folder's name is another's, which was copied from it or it from that.

        One that lay on this machine and is gone is this one, moved; so is one on another machine, if this one lay there.
        """
        there, name = Place.told(told), _read(self._out / NAME)
        if there is None or there.is_at(self._out):
            return False
        return there.has(name) if there.here else there not in _former(_read(self._out / NOTE))

    def rename(self) -> str:
        """Take another name, and leave this one to the other folder; returns it."""
        (self._out / NAME).unlink(missing_ok=True)
        _write(self._out, Place.of(self._out), [], renamed=True)
        return Records(self._out).identity()


def _write(out: Path, here: Place, former: list[Place], renamed: bool = False) -> None:
    noted = (
        vars(here) | {"former": [vars(each) for each in dict.fromkeys(former)][-MOST:]} | ({"renamed": True} if renamed else {})
    )
    text = json.dumps(noted)
    if _read(out / NOTE) != text:
        write_atomic(out / NOTE, text.encode())


def _former(note: str) -> list[Place]:
    with suppress(ValueError, KeyError, TypeError):
        return [Place(each["path"], each["host"], each["inode"]) for each in json.loads(note).get("former", [])]
    return []


def _renamed(note: str) -> bool:
    with suppress(ValueError, AttributeError):
        return bool(json.loads(note).get("renamed"))
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
