"""Data sets in JSON, in the forms that FG-CLIP's loader takes: a list, lines, a text file of such files, a folder of them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.shown import shown

SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True)
class JsonFile:
    """What one file of a data set holds.

    Attributes:
        path: where it is.
        name: what faults call it: its name, or as the text file lists it.
        value: what it holds; the list of its rows, unless a .json file holds something else.
        lines: of JSON lines, the line of each row, from 1; else None.
    """

    path: Path
    name: str
    value: Any
    lines: Sequence[int] | None = None

    def rows(self, key: str) -> Iterator[tuple[int, Any]]:
        """Each row with its number, from 1: its place in the list, or its line where the file holds one object a line.

        Raises:
            BadInput: naming `key`, where the file holds no list or an empty one.
        """
        if not isinstance(self.value, list):
            raise BadInput(f"{key}: {self.path} holds {kind_of(self.value)}, and must hold a list of rows, or be .jsonl")
        if not self.value:
            raise BadInput(f"{key}: {self.path} holds no rows; give a file that does")
        return iter(zip(self.lines, self.value, strict=True) if self.lines else enumerate(self.value, 1))


def read_files(path: Path, key: str) -> Iterator[JsonFile]:
    """The files of a data set, one at a time, in a fixed order.

    Args:
        path: a .json or .jsonl file; a .txt that lists such files, one a line, relative to its own folder; or a folder, whose
            *.json and *.jsonl are read by name (hidden files are not).
        key: what errors name, for example `params.data`.

    Raises:
        BadInput: if a file is missing, can't be read or isn't JSON. Before anything is read where a listed file is missing.
    """
    return (_read(file, name, key) for file, name in _listed(path, key))


def kind_of(value: Any) -> str:
    """What a JSON value is, for messages: `an object`, `a list`, `null` ..."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _listed(path: Path, key: str) -> list[tuple[Path, str]]:
    if not os.path.exists(path):
        raise BadInput(f"{key}: {path}: no such file or folder; mend the path")
    if path.is_dir():
        return _in_folder(path, key)
    if path.suffix.lower() == ".txt":
        return _in_text(path, key)
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{key}: {path} must be a .json or .jsonl file, a .txt that lists such files, or a folder of them")
    return [(path, path.name)]


def _in_folder(folder: Path, key: str) -> list[tuple[Path, str]]:
    try:
        found = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    except OSError as error:
        raise BadInput(f"{key}: {folder} can't be read ({error.strerror}); mend its permissions") from error
    if not found:
        raise BadInput(f"{key}: {folder} is a folder without *.json or *.jsonl; give the folder that holds them")
    return [(file, file.name) for file in found]


def _in_text(path: Path, key: str) -> list[tuple[Path, str]]:
    names = [line.strip() for line in _text(path, key).split("\n") if line.strip()]
    if not names:
        raise BadInput(f"{key}: {path} lists no files; give one .json or .jsonl a line")
    for number, name in enumerate(names, 1):
        if Path(name).suffix.lower() not in SUFFIXES:
            raise BadInput(f"{key}: {path} lists {shown(name)} (file {number}), and must list .json or .jsonl files, one a line")
        if not os.path.isfile(path.parent / name):
            raise BadInput(f"{key}: {path} lists {shown(name)}, but {path.parent / name} is no file; mend the line")
    return [(path.parent / name, name) for name in names]


def _read(path: Path, name: str, key: str) -> JsonFile:
    text = _text(path, key)
    if path.suffix.lower() == ".jsonl" and not text.lstrip().startswith("["):
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = [_parse(line, path, key, number) for number, line in numbered]
        return JsonFile(path, name, rows, [number for number, _ in numbered])
    return JsonFile(path, name, _parse(text, path, key))


def _text(path: Path, key: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for, and a device has no end
            raise BadInput(f"{key}: {path} can't be read (it is no file); give a file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{key}: {path} can't be read ({error.strerror}); mend the path or its permissions") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{key}: {path} is not UTF-8 text; save it as UTF-8") from error


def _parse(text: str, path: Path, key: str, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno + line - 1}, column {error.colno}"
        end = not text[error.pos :].strip() or error.msg.startswith("Unterminated")
        remedy = "it may be cut short: fetch it again, or mend it there" if end else "mend it there"
        if error.msg == "Extra data":
            remedy = "mend it there, or name it .jsonl if it holds one object a line"
        raise BadInput(f"{key}: {path} is not JSON at {where} ({error.msg}); {remedy}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists without end
        raise BadInput(f"{key}: {path} can't be parsed from line {line}, column 1 on ({error}); mend it") from error
