"""An engine that is up before there is work for it, and that goes down while its caller goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from ablate.engines.base import Engine


class Ahead:
    """Starts an engine at once. What remains of it once all is trained, its caller need not wait for.

    Used as a context manager. It is started by the thread that enters: ray's processes die with the
    thread that made them.

    Args:
        engine: not started yet.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="leaving")
        self._gone: Future[None] | None = None

    def __enter__(self) -> Ahead:
        self._engine = self._engine.__enter__()
        return self

    @property
    def engine(self) -> Engine:
        """The engine, started."""
        return self._engine

    def leave(self) -> None:
        """Let the engine go down, beside whatever comes next."""
        self._gone = self._pool.submit(self._engine.__exit__, None, None, None)

    def __exit__(self, *exc: object) -> None:
        """Wait until it is gone."""
        with self._pool:
            if self._gone is None:
                self._engine.__exit__(*exc)
            else:
                self._gone.result()
