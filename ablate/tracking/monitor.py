"""The machine while a study trains, as MLflow's system metrics of the study's run.

They cover the machine on which the driver runs, workers on it included, and no other machine of a cluster.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

#: Seconds between two samples; seconds that the last ones have to be logged in.
INTERVAL, ENDING = 10.0, 5.0


class Monitor:
    """MLflow's own monitor, a thread that takes a sample now and then. It ends by itself once the store does not answer.

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

        self.stop()
        if WANTED.is_set() and not WANTED.get():
            return
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._thread = SystemMetricsMonitor(self._run, INTERVAL, resume_logging=True, tracking_uri=self._uri)
        self._thread.start()

    def stop(self, patience: float = ENDING) -> None:
        """Log what is left, for so many seconds at most: MLflow would wait for as long as the store takes."""
        if self._thread is not None:
            ending = Thread(target=self._thread.finish, daemon=True)
            ending.start()
            ending.join(patience)
            self._thread = None
