"""The short version of `benchmarks/chaos.py`, and that it would notice."""

import json
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from benchmarks.chaos import chaos
from benchmarks.havoc.episode import Episode, launch, live
from benchmarks.havoc.faults import faults, reference
from benchmarks.havoc.folder import Folder
from benchmarks.havoc.kills import marked, title
from benchmarks.havoc.table import markdown

#: One whose kills under ray are mostly of workers, which cost no new start.
SEED = 248


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study as it ends when nothing dies."""
    return live(tmp_path_factory.mktemp("chaos") / "undisturbed", "inline", 0, 0, random.Random(0))


def test_twenty_kills_lose_double_and_change_nothing(tmp_path, undisturbed):
    episodes, found = chaos(tmp_path, reference(undisturbed.folder), {"inline": 13, "ray": 7}, SEED, jobs=2)
    print(markdown(episodes, found))
    assert found == []
    assert sum(len(episode.kills) for episode in episodes) == 20
    assert len({kill.phase for episode in episodes for kill in episode.kills}) > 3


def test_nothing_that_ray_starts_escapes_the_look_for_what_is_left(tmp_path):
    """Its agents write their titles over the environment that they were marked by."""
    process, seen = launch(Folder(tmp_path), "ray"), set()
    while process.poll() is None and not {"ray::DashboardAgent", "ray::RuntimeEnvAgent"} <= seen:
        seen |= {title(each).strip() for each in marked(str(tmp_path))}
    for each in marked(str(tmp_path)):
        each.kill()
    process.wait()
    assert {"ray::DashboardAgent", "ray::RuntimeEnvAgent"} <= seen


@pytest.mark.parametrize(
    ("harm", "column"),
    [
        (lambda f, run: (f.out / "runs" / f"{run}.json").unlink(), "lost"),
        (lambda f, run: _rewrite(f.out / "runs" / f"{run}.json", started=1.0), "lost"),
        (lambda f, run: shutil.copy(f.out / "runs" / f"{run}.json", f.out / "runs" / "other-0.json"), "duplicated"),
        (lambda f, run: _rewrite(f.out / "runs" / f"{run}.json", metrics={"score": 1.0}), "corrupt"),
        (lambda f, run: (f.out / "runs" / f"{run}.json").write_text("{"), "lost"),
        (lambda f, run: (f.out / "artifacts" / run / "weights.bin").write_bytes(b"half"), "corrupt"),
        (lambda f, run: (f.out / "curves" / f"{run}.parquet.ablate-part").touch(), "left over"),
        (lambda f, run: (f.out / "verdict.json").write_text("{}"), "verdict"),
        (lambda f, run: _change(f.out / "optuna.db", "UPDATE trials SET state = 'RUNNING' WHERE number = 5"), "Optuna"),
        (lambda f, run: _change(f.home / "mlflow.db", "DELETE FROM metrics WHERE step = 5"), "MLflow"),
        (lambda f, run: _change(f.home / "mlflow.db", "UPDATE metrics SET step = 6 WHERE step = 5"), "MLflow"),
        (lambda f, run: _change(f.home / "mlflow.db", "UPDATE tags SET value = ? WHERE key = 'run_id'", run), "duplicated"),
        (lambda f, run: _change(f.home / "mlflow.db", "UPDATE runs SET status = 'RUNNING'"), "MLflow"),
    ],
)
def test_what_is_lost_doubled_or_changed_is_found(tmp_path, undisturbed, harm, column):
    shutil.copytree(undisturbed.folder.home, tmp_path / "harmed")
    wanted, folder = reference(undisturbed.folder), Folder(tmp_path / "harmed")
    episode = Episode(folder, "inline", kept=undisturbed.folder.trained(), exits=[0])
    assert faults(episode, wanted) == []
    harm(folder, next(iter(wanted.records)))
    assert column in {found for found, _ in faults(episode, wanted)}


def _rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _change(path, statement, *values):
    with closing(sqlite3.connect(path)) as store, store:
        store.execute(statement, values)
