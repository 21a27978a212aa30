"""What a process and all that it starts show of themselves while it runs, as others on the machine could see it."""

import ipaddress
import subprocess
import threading
import time
from pathlib import Path

import psutil

MARK = "ABLATE_TEST_MARK"


class Watched:
    """A command that is looked at until it ends.

    Attributes:
        titles: every command line and process title, with the seconds since the start at which each was first seen.
        environments: of each process, by its number.
        listening: the addresses that it or a process of it listened on, (title, address).
        written: the files below `scratch` as last seen: of some, nothing is left at the end.
    """

    def __init__(self, words, folder, environment, scratch=None):
        self._mark = f"{folder} {time.time_ns()}"
        self.titles, self.environments, self.listening, self.written = {}, {}, set(), {}
        self._scratch, self._began = scratch, time.monotonic()
        environment = environment | {MARK: self._mark} | ({"TMPDIR": str(scratch)} if scratch else {})
        self._process = subprocess.Popen(
            words, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def end(self, seconds=180):
        """Wait for it; returns its exit code, stdout and stderr."""
        out, err = self._process.communicate(timeout=seconds)
        self._watch.join()
        return self._process.returncode, out, err

    def _look(self):
        while self._process.poll() is None:
            for process in psutil.process_iter():
                try:
                    self._note(process)
                except (psutil.Error, OSError):  # it ended while it was looked at
                    continue
            self._read()
            time.sleep(0.05)

    def _note(self, process):
        place = Path(f"/proc/{process.pid}")
        environment = (place / "environ").read_bytes().decode()
        if f"{MARK}={self._mark}" not in environment.split("\0"):
            return
        title = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        for each in (title, (place / "comm").read_text().strip()):
            self.titles.setdefault(each, time.monotonic() - self._began)
        self.environments[process.pid, title.partition(" ")[0]] = environment
        self.listening |= {(title, address) for address in listening(process)}

    def _read(self):
        for path in self._scratch.rglob("*") if self._scratch else ():
            try:
                if path.is_file():
                    self.written[str(path)] = path.read_bytes()
            except OSError:  # it is gone
                continue


def listening(process):
    """The addresses that a process accepts TCP connections on."""
    return {each.laddr.ip for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}


def is_loopback(address):
    """Whether only this machine reaches it, written as IPv4, as IPv6 or as the one in the other."""
    found = ipaddress.ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
