"""What a target's source is, and what becomes of a study when it changes between runs."""

import json
import time

import pytest

from ablate.design import make_plan
from ablate.driver import Driver, missing
from ablate.engines.inline import InlineEngine
from ablate.errors import BadInput
from ablate.mirror import NullMirror
from ablate.records import Records
from ablate.source import changed, of_other_source, refuse_changed, source_of
from ablate.study import Study
from ablate.target import load_target
from ablate.trials import Trials
from tests.stored import Silent

FILES = {
    "mine/__init__.py": "",
    "mine/train.py": '''
"""A docstring that says
import nothing of it, here.
"""
from . import nets
def train(params, run):
    from mine.data.load import (  # nested
        read,
    )
    import beside
    return {"score": read(params["x"]) + run.seed}
''',
    "mine/nets.py": "if True: import numpy, mine.deep\n",
    "mine/deep.py": "import mine.train\n",
    "mine/data/load.py": "def read(x): return float(x)\n",
    "mine/unused.py": "broken (",
    "beside.py": "from ablate.run import Run\n",
    "aside.py": "",
}
SEEN = {"mine/__init__.py", "mine/train.py", "mine/nets.py", "mine/deep.py", "mine/data/load.py", "beside.py"}


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return load_target("mine.train:train")


@pytest.fixture(autouse=True)
def _forget_modules():
    import sys

    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "beside")]:
        del sys.modules[name]


def test_the_source_is_what_the_target_imports_of_its_own(target, tmp_path):
    before = source_of(target.name)
    assert set(before.files) == SEEN
    assert source_of(target.name) == before
    assert len(before.id) == 12
    (tmp_path / "mine" / "unused.py").write_text("changed = 1")
    assert source_of(target.name).id == before.id
    (tmp_path / "mine" / "deep.py").write_text("changed = 1")
    assert source_of(target.name).id != before.id


def test_of_ablate_only_the_targets_are_a_targets_source():
    load_target("ablate.targets.region_clip:train")
    found = source_of("ablate.targets.region_clip:train")
    assert all(name.startswith("ablate/targets/") for name in found.files)
    assert {"ablate/targets/region_clip/loop.py", "ablate/targets/region_clip/roi.py"} < set(found.files)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        source_of("ablate.targets.region_clip:train")
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.05  # about 10 ms
    assert source_of("math:sqrt").id == ""
    assert set(source_of("json:dumps").files) == {"json/__init__.py", "json/decoder.py", "json/encoder.py", "json/scanner.py"}


def plan_of(target, seeds=2):
    study = {"name": "own", "target": target.name, "fixes": {"a": {"off": {"x": 0}, "on": {"x": 1}}}, "design": {"seeds": seeds}}
    return make_plan(Study.model_validate(study | {"outcome": {"metric": "score"}}), target)


def train(plan, out):
    records = Records(out)
    with records.lock():
        driver = Driver(plan, records, Trials(f"sqlite:///{out}/optuna.db", plan), NullMirror())
        driver.train(missing(plan, records.load()), InlineEngine(), Silent())
    return records


def test_a_changed_source_is_named_and_failed_runs_don_t_ask(target, tmp_path):
    records = train(plan_of(target), tmp_path / "out")
    before = source_of(target.name)
    assert {record.source for record in records.load().values()} == {before.id}
    assert json.loads((tmp_path / "out" / "sources.json").read_text()) == {before.id: dict(before.files)}
    refuse_changed(records, target.name, records.load().values())
    (tmp_path / "mine" / "nets.py").write_text("")  # and with it, deep is no longer imported
    wanted = (
        r"target: mine.train:train has changed since 4 of these runs were trained \(mine/deep.py, mine/nets.py\); give --continue"
    )
    with pytest.raises(BadInput, match=wanted):
        refuse_changed(records, target.name, records.load().values())
    said = of_other_source(target.name, 4, records.load(), records)
    assert said == [
        "4 of 4 runs were trained by an earlier source of mine.train:train (mine/deep.py, mine/nets.py); --fresh trains all again"
    ]
    (tmp_path / "out" / "sources.json").unlink()
    assert changed(records, list(records.load().values()), source_of(target.name)) == ""
    (tmp_path / "mine" / "data" / "load.py").write_text("def read(x): raise ValueError\n")
    for name in ("failed-0", "of-before-0"):
        state = {"state": "failed"} if name == "failed-0" else {"source": ""}
        record = next(iter(records.load().values()))
        assert of_other_source(target.name, 1, {name: record.__class__(**{**vars(record), **state})}, records) == []


def test_run_asks_before_it_mixes_and_says_what_it_leaves_aside(cli, monkeypatch):
    monkeypatch.chdir(cli.folder)
    monkeypatch.syspath_prepend(str(cli.folder))
    (cli.folder / "beside.py").write_text("def train(params, run): return {'score': float(params['x'] + run.seed)}\n")
    plan = plan_of(load_target("beside:train"))
    train(plan, cli.folder / "reports" / "own")
    (cli.folder / "own.yaml").write_text(json.dumps(plan.study.model_dump(mode="json", exclude_none=True)))
    (cli.folder / "beside.py").write_text("def train(params, run): return {'score': float(params['x'] + 2 * run.seed)}\n")
    words = ["run", "own.yaml", "--engine", "inline", "--tracking-uri", "none"]
    asked = cli(*words, "--seeds", "3")
    assert asked.returncode == 2
    wanted = (
        "error: target: beside:train has changed since 4 of these runs were trained (beside.py); give --continue to keep them,"
    )
    assert wanted in asked.stderr
    assert len(list((cli.folder / "reports/own/runs").glob("*.json"))) == 4
    other = cli(*words, "--set", "y=1")  # another param: other cells, so that nothing is asked and nothing mixed
    assert "4 runs in reports/own of other params or seeds: kept aside" in other.stderr
    assert "4 trained now, 4 in the study" in other.stdout
    assert cli(*words, "--seeds", "3", "--continue").returncode == 0
    told = json.loads((cli.folder / "reports/own/verdict.json").read_text())["warnings"]
    assert "4 of 6 runs were trained by an earlier source of beside:train (beside.py); --fresh trains all again" in told
