"""The ray engine: one actor a worker, kept warm, on this machine or on a cluster.

Ray places the actors, leases GPUs and notices deaths. A worker that died is replaced at once, and its task is tried again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

from ablate.engines import session
from ablate.engines.base import Limits, Result, Retry, Task, execute, prepare_target
from ablate.engines.lost import LINES, Vigil, lost
from ablate.engines.memory import free
from ablate.engines.pulse import Pulse, Trace, read_trace
from ablate.engines.round import TICK, Job, Round
from ablate.errors import EngineError
from ablate.secrets import blanks
from ablate.stop import Stop


class _Worker:
    """Lives in a ray actor process. Modules, data and weights that a target caches stay warm between its tasks."""

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        prepare_target(target, params)

    def execute(self, task: Task, path: str, deadline: float) -> Result:
        with Pulse(path, deadline) as pulse:
            return execute(task, pulse)

    def free(self) -> None:
        free()


class RayEngine:
    """Trains on a pool of ray actors.

    A ray of its own listens on loopback alone and demands a token; a cluster is used as its user has set it up.

    Args:
        workers: how many actors; None for as many as the machine's cores or GPUs allow.
        cpus, gpus: what each one takes.
        address: a running cluster, or None to start ray on this machine.
        at_most: no more actors than this, however many would fit.
        limits: what it puts up with.
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
        self._numbers = count()

    def __enter__(self) -> RayEngine:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        for key, value in session.ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        if not self._address:
            os.environ.update(session.environment())
        import ray

        self._ray = ray
        # What ray prints of dead workers would go to stdout, among the results; here they are told of in the study's own words.
        ray._private.worker._worker_logs_enabled = False
        self._folder = stack.enter_context(session.own_folder())
        stack.callback(ray.shutdown)
        on_term = signal.getsignal(signal.SIGTERM)
        try:
            self._init()
        except Exception:  # whatever ray raises: on a busy machine its parts miss each other
            ray.shutdown()
            try:
                self._init()
            except Exception as error:
                why = " ".join(str(error).split())
                raise EngineError(f"ray can't start ({why}); try again, or with --engine inline") from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)  # ray puts its own in its place, which exits at once
        self.workers = self._count()
        self._lifeline = session.Lifeline(self._addresses())
        # Workers find ablate and the target wherever this process does; what Python itself brings they have already.
        own = [str(Path(entry or ".").resolve()) for entry in sys.path if not entry.startswith((sys.prefix, sys.base_prefix))]
        path = os.pathsep.join(own)
        self._actor = ray.remote(_Worker).options(
            num_cpus=self._cpus, num_gpus=self._gpus, runtime_env={"env_vars": {"PYTHONPATH": path} | blanks()}
        )
        self._pool = [self._actor.remote() for _ in range(self.workers)]

    def _init(self) -> None:
        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address:
            self._ray.init(address=self._address, **common)
            return
        cores = max(1, round((self._wanted or 0) * self._cpus)) if self._wanted else None
        self._ray.init(address="local", num_cpus=cores, include_dashboard=False, _temp_dir=str(self._folder), **common)

    def _count(self) -> int:
        have = self._ray.cluster_resources()
        fit = int(have.get("CPU", 1) // self._cpus)
        if self._gpus:
            fit = min(fit, int(have.get("GPU", 0) / self._gpus + 1e-9))
        if fit < 1:
            raise EngineError(f"resources: a worker takes {self._cpus:g} CPU and {self._gpus:g} GPU, and ray has none that fits")
        return max(1, min(self._wanted or fit, fit, self._at_most or fit))

    def _addresses(self) -> list[tuple[str, int]]:
        """Of ray's head and of the node that this process belongs to; none where it is a client of a cluster (`ray://`)."""
        if self._ray.util.client.ray.is_connected():
            return []
        context = self._ray.get_runtime_context()
        host, _, port = context.gcs_address.rpartition(":")
        own = [node for node in self._ray.nodes() if node["NodeID"] == context.get_node_id()]
        return [(host.strip("[]"), int(port)), *((node["NodeManagerAddress"], node["NodeManagerPort"]) for node in own)]

    def prepare(self, target: str, params: Sequence[Mapping[str, Any]]) -> None:
        # Every worker is asked: one makes what is missing, and the others import meanwhile and then find it made.
        asked = {worker.prepare.remote(target, params): worker for worker in self._pool}
        lives = self._limits.max_retries + len(self._pool)
        while asked:
            done, _ = self._ray.wait(list(asked), num_returns=1, timeout=TICK)
            if not done:
                self._lifeline.check()
                continue
            worker = asked.pop(done[0])
            try:
                self._ray.get(done[0])
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause or error from None
            except self._ray.exceptions.RayError as error:
                lives -= 1
                if not lives:
                    why = lost(f"{type(error).__name__}: {error}", None).splitlines()[-1]
                    raise EngineError(f"{target} failed while preparing what its runs share: {why}") from None
                new = self._replace(worker)
                asked[new.prepare.remote(target, params)] = new

    def run(self, tasks: Sequence[Task], stop: Stop | None = None) -> Iterator[Task | Retry | Result]:
        yield from Round(self, self._pool, tasks, stop or Stop(), self._limits).events()

    def begin(self, worker: Any, task: Task, alone: bool) -> Job:
        path = self._folder / f"worker-{next(self._numbers)}"
        reference = worker.execute.remote(task, str(path), self._limits.progress_deadline)
        return Job(task, worker, reference, path, Vigil(path, self._limits.progress_deadline), time.time(), alone)

    def wait(self, jobs: Sequence[Job]) -> Any | None:
        done, _ = self._ray.wait([job.reference for job in jobs], num_returns=1, timeout=TICK)
        if not done:
            self._lifeline.check()
        return done[0] if done else None

    def collect(self, job: Job) -> tuple[Result | None, Any]:
        try:
            result: Result = self._ray.get(job.reference)
        except self._ray.exceptions.RayError as error:
            return self._lost(job, error), self._replace(job.worker)
        finally:
            job.path.unlink(missing_ok=True)
        return result, job.worker

    def _lost(self, job: Job, error: Exception) -> Result | None:
        self._lifeline.hold()  # where all of ray is gone, no worker is to blame
        trace = read_trace(job.path)
        short = isinstance(error, self._ray.exceptions.OutOfMemoryError)
        if trace is None and not self._address and not short:
            return None
        why = lost(f"{type(error).__name__}: {error}", trace, self._stderr(trace), job.hung, self._limits.progress_deadline)
        return Result(job.task.run_id, "failed", job.started, time.time() - job.started, error=why, fault="died")

    def _stderr(self, trace: Trace | None) -> list[str]:
        """The last lines that a worker of this machine's own ray wrote, but for ray's marks."""
        files = self._folder.glob(f"session_*/logs/worker-*-{trace.pid}.err") if trace else ()
        lines = [line for file in files for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
        return [line for line in lines if line.strip() and not line.startswith(":")][-LINES:]

    def _replace(self, worker: Any) -> Any:
        self._ray.kill(worker)
        new = self._actor.remote()
        self._pool[self._pool.index(worker)] = new
        return new

    def look(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.vigil.over() and not job.hung and (trace := read_trace(job.path)):
                job.hung = True
                with suppress(ProcessLookupError):
                    os.kill(trace.pid, signal.SIGKILL)

    def free(self) -> None:
        for worker in self._pool:
            with suppress(self._ray.exceptions.RayError):  # one that has died holds nothing
                self._ray.get(worker.free.remote(), timeout=60)
