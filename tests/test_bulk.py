"""Metrics' histories as rows: MLflow then says the same of a run as if each value had been logged through it."""

import math

import pytest
from mlflow.entities import Metric

from ablate.tracking.bulk import add_history
from ablate.tracking.store import Experiment, client


def points(last=400):
    """A curve out of order and with gaps, one that ends in what is no number, one in an infinity, and one of a single value."""
    curve = [Metric("loss", 1 / (step + 1), 1000, step) for step in reversed(range(0, last, 3))]
    broken = [Metric("nan", math.nan if step > 100 else step, 1000, step) for step in range(150)]
    infinite = [Metric("inf", -math.inf if step == 50 else step, 1000, step) for step in range(51)]
    return [
        *curve,
        *broken,
        *infinite,
        Metric("once", 3.0, 1000, 7),
        Metric("twice", 1.0, 1000, 7),
        Metric("twice", 1.0, 1000, 7),
        *together("nan first", math.nan, -2.0),  # at one step and time
        *together("nan last", -2.0, math.nan),
        *together("nan least", 3.0, math.nan, 2.0),
        *together("nan alike", math.nan, 0.0),
        *together("infinite", 1.0, math.inf, math.nan, -math.inf),
    ]


def together(name, *values):
    return [Metric(name, value, 1000, 7) for value in values]


def said(store, run):
    """All that MLflow says of a run's metrics, as text, since NaN equals nothing."""
    names = sorted(store.get_run(run).data.metrics)
    history = {name: sorted((m.step, m.timestamp, str(m.value)) for m in store.get_metric_history(run, name)) for name in names}
    return {name: str(value) for name, value in store.get_run(run).data.metrics.items()}, history


@pytest.fixture
def experiment(tmp_path):
    store = client(f"sqlite:///{tmp_path}/mlflow.db")
    return Experiment(store, store.create_experiment("bulk", artifact_location=str(tmp_path / "files")))


def test_a_run_looks_as_if_each_value_had_been_logged(experiment):
    ours, theirs = (experiment.create(name, {}) for name in ("ours", "theirs"))
    experiment.log(ours, points(), {"lr": 0.1}, {"kind": "run"})
    experiment.client.log_batch(theirs, metrics=points())
    assert said(experiment.client, ours) == said(experiment.client, theirs)
    assert len(said(experiment.client, ours)[1]["loss"]) == 134


def test_one_call_is_left_where_there_were_several(experiment, monkeypatch):
    calls, log = [], experiment.client.log_batch
    monkeypatch.setattr(experiment.client, "log_batch", lambda *given, **more: calls.append(more) or log(*given, **more))
    experiment.log(experiment.create("run", {}), [Metric("loss", step, 1000, step) for step in range(5000)])
    assert [[metric.value for metric in call["metrics"]] for call in calls] == [[4999]]


def test_what_was_cut_off_is_completed_and_nothing_is_there_twice(experiment):
    whole, cut = (experiment.create(name, {}) for name in ("whole", "cut"))
    experiment.log(whole, points())
    add_history(experiment.client, cut, points()[:200])  # and the process is killed
    experiment.log(cut, points())
    experiment.log(cut, points())
    assert said(experiment.client, cut) == said(experiment.client, whole)


def test_a_table_that_is_not_the_one_that_is_known_is_left_to_mlflow(experiment, monkeypatch):
    monkeypatch.setattr("ablate.tracking.bulk.COLUMNS", {"key", "value"})
    run, given = experiment.create("run", {}), points()
    assert add_history(experiment.client, run, given) is given
    experiment.log(run, given)
    assert len(experiment.client.get_metric_history(run, "loss")) == 134
