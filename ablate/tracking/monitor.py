"""The machine while a study trains, as MLflow's system metrics of the study's run.

They cover the machine on which the driver runs, workers on it included, and no other machine of a cluster.
"""

from __future__ import annotations

from typing import Any

#: Seconds between two samples.
INTERVAL = 10.0


class Monitor:
    """MLflow's own monitor, a thread that takes a sample now and then.

    Args:
        uri: where it is logged.
        run: the run it is logged with, which must be running.
    """

    def __init__(self, uri: str, run: str) -> None:
        self._uri, self._run = uri, run
        self._thread: Any = None

    def start(self) -> None:
        """Go on from the last sample that is there. Where MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING is false, do nothing."""
        from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING as WANTED

        if WANTED.is_set() and not WANTED.get():
            return
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._thread = SystemMetricsMonitor(self._run, INTERVAL, resume_logging=True, tracking_uri=self._uri)
        self._thread.start()

    def stop(self) -> None:
        """Log what is left."""
        if self._thread is not None:
            self._thread.finish()
            self._thread = None
