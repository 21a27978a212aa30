"""The ray engine: one actor a worker, kept warm, on this machine or on a cluster.

Ray places the actors, leases GPUs and notices deaths; a task whose worker died fails, and the worker is replaced.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.engines.base import Limits, Result, Retry, Task, execute, prepare_target
from ablate.errors import EngineError
from ablate.stop import Stop

#: Read by ray at import: no usage reports, and no wait for GPUs that CPU workers hide from themselves.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}


class _Worker:
    """Lives in a ray actor process. Modules, data and weights that a target caches stay warm between its tasks."""

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        prepare_target(target, params)

    def execute(self, task: Task) -> Result:
        return execute(task)


class RayEngine:
    """Trains on a pool of ray actors.

    Args:
        workers: how many actors; None for as many as the machine's cores or GPUs allow.
        cpus, gpus: what each one takes.
        address: a running cluster, or None to start ray on this machine.
    """

    def __init__(
        self,
        workers: int | None = None,
        cpus: float = 1,
        gpus: float = 0,
        address: str | None = None,
        at_most: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._wanted, self._cpus, self._gpus, self._address = workers, cpus, gpus, address
        self._at_most = at_most
        self.workers = 0

    def __enter__(self) -> RayEngine:
        for key, value in ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        import ray

        self._ray = ray
        on_term = signal.getsignal(signal.SIGTERM)
        try:
            self._init()
        except Exception as error:
            raise EngineError(f"ray can't start ({error}); try --engine inline") from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)  # ray puts its own in its place, which exits at once
        self.workers = self._count()
        # Workers find ablate and the target wherever this process does; what Python itself brings they have already.
        own = [str(Path(entry or ".").resolve()) for entry in sys.path if not entry.startswith((sys.prefix, sys.base_prefix))]
        path = os.pathsep.join(own)
        self._actor = ray.remote(_Worker).options(
            num_cpus=self._cpus, num_gpus=self._gpus, runtime_env={"env_vars": {"PYTHONPATH": path}}
        )
        self._pool = [self._actor.remote() for _ in range(self.workers)]
        return self

    def __exit__(self, *exc: object) -> None:
        self._ray.shutdown()

    def _init(self) -> None:
        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address:
            self._ray.init(address=self._address, **common)
            return
        cores = max(1, round((self._wanted or 0) * self._cpus)) if self._wanted else None
        self._ray.init(address="local", num_cpus=cores, include_dashboard=False, **common)

    def _count(self) -> int:
        have = self._ray.cluster_resources()
        fit = int(have.get("CPU", 1) // self._cpus)
        if self._gpus:
            fit = min(fit, int(have.get("GPU", 0) / self._gpus + 1e-9))
        if fit < 1:
            self._ray.shutdown()
            raise EngineError(f"resources: a worker takes {self._cpus:g} CPU and {self._gpus:g} GPU, and ray has none that fits")
        return max(1, min(self._wanted or fit, fit, self._at_most or fit))

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        # Every worker is asked: one makes what is missing, and the others import meanwhile and then find it made.
        self._ray.get([worker.prepare.remote(target, params) for worker in self._pool])

    def run(self, tasks: Sequence[Task], stop: Stop | None = None) -> Iterator[Task | Retry | Result]:
        waiting, idle = deque(tasks), deque(self._pool)
        working: dict[Any, tuple[Task, Any, float]] = {}
        ended: list[Result] = []
        while waiting or working or ended:
            if stop and stop.asked:
                waiting.clear()
                if not (working or ended):
                    return
            while waiting and idle:  # workers are kept busy before the caller takes its time over a result
                task, worker = waiting.popleft(), idle.popleft()
                working[worker.execute.remote(task)] = task, worker, time.time()
                yield task
            if ended:
                yield ended.pop()
                continue
            done, _ = self._ray.wait(list(working), num_returns=1)
            task, worker, started = working.pop(done[0])
            result, worker = self._collect(done[0], task, worker, started)
            idle.append(worker)
            ended.append(result)

    def _collect(self, reference: Any, task: Task, worker: Any, started: float) -> tuple[Result, Any]:
        """A task's result, and the worker to go on with: a new one where the old one was lost with its task."""
        try:
            result: Result = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            why = f"the worker process died while training this run ({type(error).__name__})"
            result = Result(task.run_id, "failed", started, time.time() - started, error=why)
            self._pool.remove(worker)
            self._ray.kill(worker)
            worker = self._actor.remote()
            self._pool.append(worker)
        return result, worker
