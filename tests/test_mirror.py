"""A study and its MLflow server, which dies, hangs, refuses or loses answers: training goes on, and each point arrives once."""

import csv
import time
from dataclasses import replace

import pytest

from ablate.driver import Driver, missing
from ablate.engines.inline import InlineEngine
from ablate.errors import EngineError
from ablate.mirror import Mirror, NullMirror
from ablate.publication import Publication
from ablate.records import Records
from ablate.tracking import MLflowTracker
from ablate.trials import Trials
from tests.builders import FIXES, raw, write_study
from tests.servers import Proxy, Server, free_port
from tests.stored import Silent, plan_of


def study(name, seeds=4, **params):
    """Of two fixes: four runs a seed, with a curve of 20 points each."""
    two = {fix: FIXES[fix] for fix in ("good", "bad")}
    return raw(name=name, fixes=two, design={"seeds": seeds}, curves=["progress"], params=params)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where its artifacts go
        server = Server(folder)
        server.start()
        yield server
        server.kill()  # it would wait for connections that are kept open


@pytest.fixture
def proxy(server):
    proxy = Proxy(server)
    yield proxy
    proxy.close()


class At(Silent):
    """Does something as a run ends, counted from 1; the driver waits for it."""

    def __init__(self, **doing):
        self.ended_so_far, self.doing = 0, {int(number.strip("_")): what for number, what in doing.items()}

    def ended(self, run, record):
        self.ended_so_far += 1
        self.doing.get(self.ended_so_far, lambda: None)()


class Carried:
    """A study that is carried out before a tracking server, in this process."""

    def __init__(self, mapping, out, uri):
        self.plan, self.records, self.uri, self.told = plan_of(mapping), Records(out), uri, []

    def mirror(self):
        return Mirror(MLflowTracker(self.uri, self.plan, self.records.identity()), self.records, self.told.append)

    def train(self, mirror, watcher=None):
        """Returns the seconds that the driver took."""
        driver = Driver(self.plan, self.records, Trials("sqlite://", self.plan), mirror)
        driver.catch_up(self.records.load())
        begun = time.monotonic()
        driver.train(missing(self.plan, self.records.load()), InlineEngine(), watcher or Silent())
        return time.monotonic() - begun

    def out(self, watcher=None):
        with self.records.lock(), self.mirror() as mirror:
            seconds = self.train(mirror, watcher)
            if mirror.deliver():
                mirror.publish(Publication("done"))
            self.left = mirror.left
        return seconds


def assert_each_once(server, carried):
    """Each recorded run is there once, with each of its points, as the study's only run says that it is finished."""
    name, kept = carried.plan.name, carried.records.load()
    found = server.active(name, "run")
    assert sorted(tags["run_id"] for _, _, tags in found) == sorted(kept) == sorted(run.id for run in carried.plan.runs)
    for run, status, tags in found:
        record, curve = kept[tags["run_id"]], carried.records.series(tags["run_id"])
        assert status == "FINISHED"
        assert record.mlflow == run
        assert server.points(run) == {"progress": len(curve.steps), **dict.fromkeys((*record.metrics, "seconds"), 1)}
    (parent,) = server.active(name, "study")
    assert parent[1] == "FINISHED"


def test_a_server_is_killed_and_started_again_during_a_study_and_each_point_arrives_once(server, tmp_path):
    carried = Carried(study("killed", 6), tmp_path / "out", server.uri)
    begun = []
    watcher = At(
        _5=server.kill, _6=lambda: begun.append(time.monotonic()), _14=lambda: (begun.append(time.monotonic()), server.start())
    )
    carried.out(watcher)
    assert begun[1] - begun[0] < 5  # eight runs, while nobody answered
    gone, back = (line for line in carried.told if not line.startswith("waiting for MLflow at "))
    assert gone.startswith(f"MLflow at {server.uri} can't be reached (Connection refused); training goes on, and ")
    assert back.startswith(f"MLflow at {server.uri} is back; ")
    assert_each_once(server, carried)


def test_answers_that_are_lost_make_nothing_twice(server, proxy, tmp_path):
    carried = Carried(study("lost", 2), tmp_path / "out", proxy.uri)
    proxy.mode = "lose"
    with carried.records.lock(), carried.mirror() as mirror:
        carried.train(mirror)
        deadline = time.monotonic() + 20
        while proxy.requests < 22 and time.monotonic() < deadline:
            time.sleep(0.1)
        proxy.mode = "pass"
        assert mirror.deliver()
        mirror.publish(Publication("done"))
    assert_each_once(server, carried)


def test_training_never_waits_for_a_server_that_hangs_refuses_or_is_slow(server, proxy, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    carried = Carried(study("slow", 2), tmp_path / "out", proxy.uri)
    proxy.mode = "hang"
    with carried.records.lock(), carried.mirror() as mirror:
        assert carried.train(mirror) < 5  # eight runs, each of which would wait for a second and more
        for proxy.mode, why in {
            "hang": "no answer in 1 s",
            "500 Internal Server Error": "it answers 500 Internal Server Error",
            "401 Unauthorized": "it answers 401 Unauthorized",
            "200 OK": "",  # something else than MLflow answers there
        }.items():
            begun = time.monotonic()
            assert not mirror.deliver()
            assert time.monotonic() - begun < 10
            assert mirror.left.startswith(f"8 runs and the report wait for MLflow at {proxy.uri} ({why}")
        proxy.mode = "slow"
        assert mirror.deliver()
        assert mirror.delivered == (8, 8 * 22)
        proxy.mode = "pass"
        mirror.publish(Publication("done"))
    assert_each_once(server, carried)


def test_a_run_that_mlflow_does_not_take_holds_up_no_other(server, tmp_path):
    carried = Carried(study("refused", 2), tmp_path / "out", server.uri)
    with carried.records.lock():
        carried.train(NullMirror())
    first, *others = carried.plan.runs
    carried.records.save(replace(carried.records.load_one(first.id), started=-1e9))  # MLflow knows no times before 1970
    carried.out()
    (said,) = (line for line in carried.told if not line.startswith("waiting for MLflow at "))
    assert said.startswith(f"MLflow at {server.uri} does not take {first.name} (")
    assert sorted(tags["run_id"] for _, _, tags in server.active("refused", "run")) == sorted(run.id for run in others)


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (EngineError, "FAILED")])
def test_a_study_that_stops_early_says_so_in_mlflow(server, tmp_path, error, status):
    carried = Carried(study(f"stopped-{status.lower()}", 2), tmp_path / "out", server.uri)

    def end():
        raise error

    with pytest.raises(error):
        carried.out(At(_2=end))
    assert [state for _, state, _ in server.active(carried.plan.name, "study")] == [status]
    carried.out()
    assert_each_once(server, carried)


def test_the_command_line_says_what_waits_and_sync_delivers_it(server, cli):
    port = free_port()
    file = write_study(cli.folder, study("typed", 2))
    uri = f"http://me:SECRETPW@127.0.0.1:{port}"
    ran = cli("run", file.name, "--engine", "inline", "--tracking-uri", uri)
    assert ran.returncode == 0, ran.stderr
    shown = f"http://me:…@127.0.0.1:{port}"
    waits = (
        f"8 runs and the report wait for MLflow at {shown} (Connection refused); nothing is lost: once it is there, type"
        f" MLFLOW_TRACKING_URI=… python -m ablate sync {file.name}\n"
    )
    assert waits in ran.stderr
    assert "reports/typed/report.pdf" in ran.stdout
    still = cli("sync", file.name, "--tracking-uri", uri)
    assert still.returncode == 3
    assert still.stderr.endswith(waits)
    proxy = Proxy(server, port)
    came = cli("sync", file.name, "--tracking-uri", uri)
    assert came.returncode == 0, came.stderr
    assert came.stdout == f"8 runs with 176 points delivered; MLflow is at {shown}\n"
    proxy.close()
    carried = Carried(study("typed", 2), cli.folder / "reports/typed", uri)
    assert_each_once(server, carried)
    rows = csv.DictReader((cli.folder / "reports/typed/runs.csv").open())
    assert {row["run_id"]: row["mlflow_run_id"] for row in rows} == {k: r.mlflow for k, r in carried.records.load().items()}
    assert len(server.active("typed", "arm")) == 4
    assert "SECRETPW" not in ran.stdout + ran.stderr + still.stdout + still.stderr + came.stdout
