"""The only reader of YAML: of study files, and of the values of `--set`.

YAML 1.2 is read, where `on` and `off` are words and not booleans. A file names no code: only YAML's own kinds of value are made,
and any other tag is refused. What is read is bounded before anything walks it: 5,000 plain values take ruamel 0.2 s on one core
of the machine in benchmarks/RESULTS.md, and the largest study here holds some 700 in 7 KB.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner

from ablate.errors import BadInput
from ablate.shown import one_line, shown

#: What a file may hold: bytes; values, what an alias stands for counted each time; levels of lists and mappings.
MOST_BYTES, MOST_VALUES, MOST_LEVELS = 128 * 1024, 5_000, 40
#: Whole numbers that a study can hold: those of 64 bits, signed or not. Random seeds go no further, nor do JSON and Parquet.
LEAST, GREATEST = -(2**63), 2**64 - 1
#: What no text of a study can hold, since UTF-8 or a data base can't: halves of surrogate pairs, and NUL.
NO_TEXT = re.compile("[\x00\ud800-\udfff]")
TOO_DEEP = f"holds lists or mappings more than {MOST_LEVELS} deep; make it flatter"
_DUPLICATE = re.compile(r'(found duplicate key ".*?") with value.*', re.DOTALL)


class Refused(Exception):
    """What was read is no YAML, or more of it than is taken; the text says what and where on one line."""


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        BadInput: if it can't be read, isn't YAML 1.2 or holds too much; with one line that says where.
    """
    text = _text(path)
    try:
        return parse_yaml(text)
    except Refused as error:
        raise BadInput(f"{path}: {error}") from None


def parse_yaml(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        Refused: if it isn't YAML 1.2 or holds too much.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Scanner = _Shallow
    reader.Composer = _Counting
    reader.max_depth = MOST_LEVELS
    try:
        with warnings.catch_warnings():  # ruamel warns of an anchor that is set twice, which YAML allows
            warnings.simplefilter("ignore")
            return _of_64_bits(reader.load(text))
    except Refused:
        raise
    except MaxDepthExceededError as error:
        raise Refused(f"{_place(error)}{TOO_DEEP}") from None
    except YAMLError as error:
        problem = _DUPLICATE.sub(r"\1", str(getattr(error, "problem", None) or error))
        raise Refused(f"{_place(error)}not valid YAML ({one_line(problem, 200)}); mend that line") from None
    except RecursionError:
        raise Refused(TOO_DEEP) from None
    except Exception as error:  # ruamel's constructors raise their own, as ValueError for 2020-13-45
        raise Refused(f"not valid YAML ({one_line(f'{type(error).__name__}: {error}', 200)}); mend it") from None


def _text(path: Path) -> str:
    """A file's text. What is no regular file is never opened: a pipe would be waited for, and a device has no end."""
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):
            raise BadInput(f"{path}: can't be read (it is {_kind(kind)}); give a YAML text file")
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; `python -m ablate init > {path}` writes one to start from") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = (isinstance(error, OSError) and error.strerror) or error
        raise BadInput(f"{path}: can't be read ({why}); give a YAML text file") from None
    if len(content) > MOST_BYTES:
        size = os.stat(path).st_size
        raise BadInput(f"{path}: is {size:,} bytes long, and a study file may have {MOST_BYTES:,}; leave out what is no study")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInput(f"{path}: can't be read (it is UTF-16); save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: can't be read (byte {error.start} is not UTF-8); give a YAML text file") from None


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "no file")


def _place(error: YAMLError) -> str:
    return _at(getattr(error, "problem_mark", None))


def _at(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


class _Shallow(Scanner):
    """Refuses brackets in brackets without end: to look ahead for what might be a key takes the square of their number."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        if self.flow_level >= MOST_LEVELS:
            raise Refused(f"{_at(self.reader.get_mark())}{TOO_DEEP}")
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Counting(Composer):
    """Builds the tree of values, and refuses it before anything is made of it where it is too large or no study's."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self._values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise Refused(_too_many())
        return super().compose_node(parent, index)

    def compose_document(self) -> Any:
        node = super().compose_document()
        if self.resolver.processing_version not in ((1, 2), "1.2"):
            raise Refused("is of another version of YAML than 1.2; remove its %YAML line")
        _check(node)
        return node


def _too_many() -> str:
    return f"holds more than {MOST_VALUES:,} values, counting what aliases repeat; leave out what is no study"


def _check(root: Node) -> None:
    """Count the values under a node, those of an alias each time it is used, without walking them each time.

    Raises:
        Refused: where there are too many, a list or mapping holds itself, or a text holds what is none.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    todo: list[tuple[Node, bool]] = [(root, False)]
    while todo:
        node, counted = todo.pop()
        if counted:
            open_.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(part)] for part in _parts(node))
            if sizes[id(node)] > MOST_VALUES:
                raise Refused(_too_many())
        elif id(node) in open_:
            raise Refused(f"line {node.start_mark.line + 1}: *{node.anchor} holds itself; write out what is meant")
        elif id(node) not in sizes:
            _check_text(node)
            open_.add(id(node))
            todo += [(node, True), *((part, False) for part in _parts(node))]


def _parts(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _check_text(node: Node) -> None:
    found = NO_TEXT.search(node.value) if isinstance(node, ScalarNode) else None
    if found:
        raise Refused(
            f"line {node.start_mark.line + 1}: {shown(node.value)} holds the character U+{ord(found[0]):04X}, which is no text; "
            "remove it"
        )


def _of_64_bits(value: Any) -> Any:
    """See that whole numbers are of 64 bits; all else is the schema's to judge."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        key, part = todo.pop()
        if isinstance(part, dict):
            todo += [(f"{key}.{name}".lstrip("."), each) for name, each in part.items()]
            todo += [(key, name) for name in part]
        elif isinstance(part, list):
            todo += [(f"{key}.{place}".lstrip("."), each) for place, each in enumerate(part)]
        elif isinstance(part, int) and not LEAST <= part <= GREATEST:
            raise Refused(
                f"{key}: {shown(part)} is beyond 64 bits; give a smaller number, or quote it if it is a text".lstrip(": ")
            )
    return value
