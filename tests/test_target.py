"""How a training is found, what it may declare, and what a run logs."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from ablate.errors import BadInput
from ablate.run import Run
from ablate.target import Declaration, Metric, declare, load_target
from ablate.targets import planted
from tests.builders import PLANTED

fresh = (f"user_target_{number}" for number in itertools.count())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that a test may write into the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return next(fresh)


def test_a_target_is_loaded_with_what_it_declares() -> None:
    target = load_target(PLANTED)
    assert target.name == PLANTED
    assert target.train is planted.train
    assert target.declaration.metrics["score"].final
    assert target.declaration.params == planted.DEFAULTS


def test_a_users_function_in_the_current_directory_needs_no_declaration(module: str) -> None:
    Path(f"{module}.py").write_text("def train(params, run):\n    return {'m': params['x'] + run.seed}\n")
    target = load_target(f"{module}:train")
    assert target.declaration == Declaration()
    assert target.train({"x": 1}, Run(seed=2)) == {"m": 3}
    assert target.declaration.resolve({"x": 1}) == {"x": 1}


@pytest.mark.parametrize("name", ["train", "a.b:", ":train", ""])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=rf"target: '{name}' must be module:function, for example ablate\.targets"):
        load_target(name)


def test_what_can_not_be_found_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"'ablate\.targets\.plantd:train' can't be imported \(no module 'ablate\.targets\.plantd'\)"
    ):
        load_target("ablate.targets.plantd:train")
    with pytest.raises(BadInput, match=r"module 'ablate\.targets\.planted' has no function 'trane'; use 'train'"):
        load_target("ablate.targets.planted:trane")
    with pytest.raises(BadInput, match="has no function 'DEFAULTS'"):
        load_target("ablate.targets.planted:DEFAULTS")


def test_a_module_that_lacks_one_of_its_own_names_the_missing_one(module: str) -> None:
    Path(f"{module}.py").write_text("import not_there_at_all\n")
    with pytest.raises(BadInput, match=rf"'{module}:train' can't be imported \(no module 'not_there_at_all'\).*install it"):
        load_target(f"{module}:train")


@pytest.mark.parametrize(
    ("body", "error"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("raise ValueError('a\\nb')", "ValueError: a b"), ("def", "SyntaxError")],
)
def test_a_module_that_fails_on_import_is_refused_in_one_line(module: str, body: str, error: str) -> None:
    Path(f"{module}.py").write_text(body + "\n")
    with pytest.raises(BadInput, match=rf"^target: '{module}:train' fails on import \({error}.*mend that module$"):
        load_target(f"{module}:train")


def test_declare_attaches_and_leaves_the_function_as_it_was() -> None:
    def train(params: object, run: Run) -> dict[str, float]:
        return {"m": 1}

    declared = declare(metrics={"m": Metric("it", final=True)}, version=3)(train)
    assert declared is train
    assert train.declaration.version == 3
    with pytest.raises(TypeError, match="metric"):
        declare(metric={})(train)


def test_a_run_keeps_what_is_logged(tmp_path: Path) -> None:
    run = Run(seed=1)
    run.log_metrics({"a": 1, "b": 2}, step=3)
    run.log_metric("a", 4, step=np.int64(5))  # type: ignore[arg-type]
    assert type(run.points[-1][1]) is int
    assert run.points == [("a", 3, 1.0), ("b", 3, 2.0), ("a", 5, 4.0)]
    (tmp_path / "note.txt").write_text("kept")
    run.log_artifact(tmp_path / "note.txt")
    (tmp_path / "note.txt").unlink()
    assert run.artifacts == {"note.txt": b"kept"}
    with pytest.raises(FileNotFoundError):
        run.log_artifact(tmp_path / "note.txt")


def test_planted_repeats_with_its_seed_and_pairs_arms_by_it() -> None:
    def score(seed: int, **params: float) -> float:
        return planted.train(params, Run(seed))["score"]

    assert score(1) == score(1) != score(2)
    assert score(1, noise=0, helps=1, harms=1) == 1
    shared = [score(seed) + score(seed, helps=1) for seed in range(2000)]
    apart = [score(seed) + score(seed + 5000, helps=1) for seed in range(2000)]
    assert sum((x - sum(shared) / 2000) ** 2 for x in shared) > 1.2 * sum((x - sum(apart) / 2000) ** 2 for x in apart)
    with pytest.raises(RuntimeError, match="planted failure"):
        score(1, broken=True)
