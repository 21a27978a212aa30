"""What a process and all that it starts show of themselves while it runs, as another user of the machine could see it."""

import subprocess
import threading
import time
from pathlib import Path

import psutil

MARK = "ABLATE_TEST_MARK"


class Watched:
    """A command that is looked at until it ends.

    Attributes:
        shown: every command line and process title.
        environments: of every process, by its title.
        listening: the addresses that a process of it listens on, (title, address).
    """

    def __init__(self, words, folder, environment):
        mark = f"{folder}-{time.time_ns()}"
        self.shown, self.environments, self.listening = set(), {}, set()
        self._mark = f"{MARK}={mark}".encode()
        self._process = subprocess.Popen(
            words, cwd=folder, env=environment | {MARK: mark}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._watch = threading.Thread(target=self._look, daemon=True)

    def end(self):
        """Wait for it; returns its exit code, stdout and stderr."""
        self._watch.start()
        out, err = self._process.communicate(timeout=180)
        self._watch.join()
        return self._process.returncode, out, err

    def _look(self):
        while self._process.poll() is None:
            for process in psutil.process_iter():
                try:
                    self._note(process)
                except (psutil.Error, OSError):  # it ended while it was looked at
                    continue
            time.sleep(0.05)

    def _note(self, process):
        place = Path(f"/proc/{process.pid}")
        environment = (place / "environ").read_bytes()
        if self._mark not in environment.split(b"\0") and process.pid != self._process.pid:
            return
        title = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        self.shown |= {title, (place / "comm").read_text()}
        self.environments[process.pid, title] = environment.decode()
        for connection in process.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                self.listening.add((title, connection.laddr.ip))
