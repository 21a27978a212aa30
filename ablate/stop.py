"""Ctrl-C while a study trains: once, nothing new is begun and what is training ends and is kept; twice, all ends now."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Stop:
    """Whether the user wants an end.

    Attributes:
        asked: once it is true, an engine begins nothing new.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def on_ctrl_c(self, tell: Callable[[], None]) -> Iterator[None]:
        """Take the first SIGINT as a request, and the next as an interruption (KeyboardInterrupt).

        Args:
            tell: is called at the first, to say what happens now.
        """
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
            yield
            return

        def ask(*_: object) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True
            with suppress(RuntimeError):  # where the signal came while the same stream was being written to
                tell()

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
