"""What a metric was before its last value, into MLflow's own database at once.

`log_batch` passes each value through an object that SQLAlchemy keeps account of: processor time that a training on the same
machine wants. Where the store is a database that this process has open, the history of a run's metrics is inserted as rows;
the last value of each is left to `log_batch`, which knows what else follows from it. Servers are told all by `log_batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

#: The columns of MLflow's table of metrics that a value is known by: of a table with others nothing is inserted here.
COLUMNS = {"key", "value", "timestamp", "step", "is_nan", "run_uuid"}


def add_history(client: MlflowClient, run: str, metrics: Sequence[Any]) -> Sequence[Any]:
    """Insert all values but the last of each metric.

    Returns:
        what is left to be logged: those last ones; all, where nothing could be inserted.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.dbmodels.models import SqlMetric
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = client._tracking_client.store
    table = SqlMetric.__table__
    if not isinstance(store, SqlAlchemyStore) or set(table.columns.keys()) != COLUMNS:
        return metrics
    latest = _latest(store, run, metrics)
    last = {_row(store, run, metric) for metric in latest.values()}
    earlier = {row: None for metric in metrics if (row := _row(store, run, metric)) not in last}
    if not earlier:
        return metrics
    names = ("key", "step", "timestamp", "is_nan", "value", "run_uuid")
    try:
        with store.ManagedSessionMaker(read_only=False) as session:
            session.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in earlier])
    except MlflowException:  # some are there, from an attempt that was cut off: log_batch knows what to do
        return metrics
    return list(latest.values())


def _latest(store: Any, run: str, metrics: Sequence[Any]) -> dict[str, Any]:
    """Each metric's value of the last step, by key. Of several at one step and time MLflow takes the largest, as it writes them,
    and of equal ones the first; there is an order to these values, NaN included."""
    found: dict[str, tuple[tuple[Any, ...], Any]] = {}
    for metric in metrics:
        _, step, timestamp, _, value, _ = _row(store, run, metric)
        known = found.get(metric.key)
        if known is None or (step, timestamp, value) > known[0]:
            found[metric.key] = (step, timestamp, value), metric
    return {key: metric for key, (_, metric) in found.items()}


def _row(store: Any, run: str, metric: Any) -> tuple[Any, ...]:
    """As MLflow writes it: of a value that is no number, or infinite, what stands for it."""
    is_nan, value = store.sanitize_metric_value(metric.value)
    return metric.key, metric.step, metric.timestamp, is_nan, value, run
