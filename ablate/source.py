"""The source that a target is trained by: its own module, and the modules of its package or folder that it imports.

It is read and not imported. What a target reads otherwise (data, weights, installed packages) is not its source.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.files import write_atomic
from ablate.record import Record
from ablate.records import Records

#: Which files each fingerprint is of, so that what changed can be named.
FILE = "sources.json"
#: What tells of ablate's own modules which are a target's.
OWN, TARGETS = "ablate", "ablate.targets"
#: An import statement, as far as a line may begin with one; names in parentheses may be on several.
STATEMENT = re.compile(
    r"(?:^|[;:])[ \t]*((?:from[ \t]+[.\w]+[ \t]+import[ \t]*(?:\([^)]*\)|[^\n;#(]+))|(?:import[ \t]+[^\n;#]+))", re.MULTILINE
)
#: So many files are named.
NAMED = 3


@dataclass(frozen=True)
class Source:
    """What a target's source is.

    Attributes:
        files: path from the folder that Python finds the target's package in → SHA-256; nothing where it can't be read.
    """

    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """12 hexadecimal digits; empty where the source can't be read."""
        text = json.dumps(sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12] if self.files else ""


def source_of(target: str) -> Source:
    """The source of `module:function`, which has been imported; nothing where Python has no file of it."""
    module = target.partition(":")[0]
    held = getattr(sys.modules.get(module), "__file__", None)
    if not held or not str(held).endswith(".py"):
        return Source()
    path = Path(held).resolve()
    up = module.count(".") + (path.name == "__init__.py")
    root = path.parents[up]
    try:
        found = dict(_reached(root, module, path))
    except OSError:
        return Source()
    return Source({each.relative_to(root).as_posix(): hashlib.sha256(content).hexdigest() for each, content in found.items()})


def _reached(root: Path, module: str, path: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file that a module consists of, by what it imports and what that imports."""
    alone = root not in _installed()
    parts = module.split(".")
    above = {".".join(parts[:end]) for end in range(1, len(parts))}  # packages that Python runs on the way to it
    on_the_way = [(name, file) for name in sorted(above) if _counts(name, module, alone) and (file := _file(root, name))]
    todo = [(module, path), *on_the_way]
    seen = {name for name, _ in todo}
    while todo:
        name, path = todo.pop()
        content = path.read_bytes()
        yield path, content
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        imported = set(_imported(content.decode("utf-8", "replace"), package)) - seen
        seen |= imported
        todo += [(each, file) for each in imported if _counts(each, module, alone) and (file := _file(root, each))]


def _counts(name: str, target: str, alone: bool) -> bool:
    """Whether a module is of a target's source: of its package, or beside it in a folder of its own.

    Args:
        alone: whether that folder is none that packages are installed in.
    """
    top = name.partition(".")[0]
    if top == OWN:
        return f"{name}.".startswith(f"{TARGETS}.")
    return top == target.partition(".")[0] or alone


def _installed() -> set[Path]:
    """Where installed packages lie side by side."""
    return {Path(path).resolve() for path in (*sysconfig.get_paths().values(), *(p for p in sys.path if "-packages" in p))}


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _imported(text: str, package: str) -> Iterator[str]:
    """The modules that a source may import, packages on the way to them included."""
    for node in _statements(text):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)] if base else [each.name for each in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _statements(text: str) -> list[ast.Import | ast.ImportFrom]:
    """Its import statements, wherever they stand. Parsing these alone is quick; all is, where a line only looks like one."""
    try:
        parsed: Any = ast.parse("\n".join(" ".join(each.split()) for each in STATEMENT.findall(text)))
    except SyntaxError:
        try:
            parsed = ast.parse(text)
        except SyntaxError:
            return []
    return [node for node in ast.walk(parsed) if isinstance(node, ast.Import | ast.ImportFrom)]


def sources(records: Records) -> dict[str, dict[str, str]]:
    """The files of each fingerprint that was noted; nothing where none was, or it can't be read."""
    try:
        noted: dict[str, dict[str, str]] = json.loads((records.out / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted


def note_source(records: Records, source: Source) -> None:
    """Note what a fingerprint is of, before anything is trained by it."""
    noted = sources(records)
    if source.id and source.id not in noted:
        write_atomic(records.out / FILE, json.dumps({**noted, source.id: dict(source.files)}, indent=1).encode())


def trained_otherwise(found: Iterable[Record], now: Source) -> list[Record]:
    """The runs that ended by another source than this, as far as both are known; one that failed will be trained again."""
    return [record for record in found if record.state != "failed" and now.id and record.source not in ("", now.id)]


def changed(records: Records, others: Sequence[Record], now: Source) -> str:
    """` (my_training.py, model.py)`: the files that differ from what some runs were trained by; empty where that isn't known."""
    noted = sources(records)
    before = [noted[source] for source in sorted({record.source for record in others}) if source in noted]
    names = sorted({name for files in before for name in {*files, *now.files} if files.get(name) != now.files.get(name)})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f" ({', '.join(names[:NAMED])}{more})" if names else ""


def refuse_changed(records: Records, target: str, planned: Iterable[Record]) -> None:
    """See that runs about to be trained are trained by what the others of the plan were.

    Raises:
        BadInput: if they are not.
    """
    now = source_of(target)
    if others := trained_otherwise(planned, now):
        raise BadInput(
            f"target: {target} has changed since {len(others)} of these runs were trained{changed(records, others, now)}; "
            "give --continue to keep them, or --fresh to train all again"
        )


def of_other_source(target: str, planned: int, found: Mapping[str, Record], records: Records) -> list[str]:
    """What a reader must know where runs were trained by another source of the target than there is now."""
    now = source_of(target)
    others = trained_otherwise(found.values(), now)
    if not others:
        return []
    said = f"{len(others)} of {planned} runs were trained by an earlier source of {target}{changed(records, others, now)}"
    return [f"{said}; --fresh trains all again"]
