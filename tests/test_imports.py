"""Which module may import what, read from the source: the core stays pure and the edges thin."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "torchvision", "transformers", "optuna", "mlflow", "ray", "matplotlib", "typst", "pandas", "PIL"} | {
    "bokeh",
    "jinja2",
}
#: Where each heavy package may be imported: modules, or packages that end in a dot.
ALLOWED = {
    "optuna": ("ablate.trials", "ablate.trialrows", "ablate.samplers"),
    "mlflow": ("ablate.tracking.",),
    "ray": ("ablate.engines.ray",),
    "torch": ("ablate.targets.",),
    "torchvision": ("ablate.targets.",),
    "transformers": ("ablate.targets.",),
    "PIL": ("ablate.targets.",),
    "matplotlib": ("ablate.report.",),
    "typst": ("ablate.report.",),
    "bokeh": ("ablate.report.html.",),
    "jinja2": ("ablate.report.html.",),
}
PURE_NAMES = (
    "artifacts collecting phases study statements sections arms points fit design target run errors shown secrets yamlfile"
)
PURE_MODULES = tuple(PURE_NAMES.split())
PURE = (*(f"ablate.{name}" for name in PURE_MODULES), "ablate.analysis.")


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


TREES = {_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "ablate").rglob("*.py"))}


def _is_inside(module: str, places: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(place) if place.endswith(".") else module == place for place in places)


def _imports(tree: ast.AST, nested: bool) -> Iterator[str]:
    """Dotted names that are imported outside of `if TYPE_CHECKING`; inside functions too where `nested`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _imports(ast.Module(node.orelse, []), nested)
        elif nested or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(node, nested)


def _packages(module: str, nested: bool = True) -> set[str]:
    return {name.partition(".")[0] for name in _imports(TREES[module], nested)}


@pytest.mark.parametrize("module", [name for name in TREES if _is_inside(name, PURE)])
def test_the_core_is_pure(module: str) -> None:
    assert not _packages(module) & HEAVY


@pytest.mark.parametrize("package", ALLOWED)
def test_a_heavy_package_is_imported_where_it_belongs_and_nowhere_else(package: str) -> None:
    users = {module for module in TREES if package in _packages(module)}
    assert {module for module in users if not _is_inside(module, ALLOWED[package])} == set()
    assert users or package == "torchvision"


def test_pandas_is_imported_inside_functions_only() -> None:
    assert [module for module in TREES if "pandas" in _packages(module, nested=False)] == []


def test_the_core_knows_no_edge() -> None:
    for module in (name for name in TREES if _is_inside(name, PURE)):
        own = {name for name in _imports(TREES[module], nested=True) if name.startswith("ablate.")}
        assert all(_is_inside(name.rpartition(".")[0], PURE) or _is_inside(name, PURE) for name in own), module


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        names = [name for name in _imports(tree, nested=False) if name.startswith("ablate")]
        graph[module] = {name if name in TREES else name.rpartition(".")[0] for name in names} - {module}
    assert graph["ablate.analysis.effects"] == set()
    assert {"ablate.errors", "ablate.study", "ablate.target"} < graph["ablate.design"]
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", [name for name in TREES if not _is_inside(name, ("ablate.cli.",))])
def test_only_the_command_line_prints_or_exits(module: str) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not calls & {"print", "sys.exit", "exit", "quit", "os._exit", "SystemExit"}


def test_the_command_line_starts_without_anything_heavy() -> None:
    heavy = sorted(HEAVY | {"numpy", "scipy", "pyarrow"})
    code = f"import sys, ablate.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
