"""A real MLflow server that can be stopped, killed and started again, and a real proxy before it that spoils its answers."""

import os
import selectors
import signal
import socket
import sqlite3
import threading
import time
from contextlib import ExitStack, closing, suppress

from ablate.tracking.serve import serving

HOST = "127.0.0.1"


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


class Server:
    """MLflow's server over an SQLite store in a folder, on the same port each time it is started."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.uri, self.store = f"http://{HOST}:{self.port}", f"sqlite:///{folder}/server.db"
        self._held, self._process = ExitStack(), None

    def start(self):
        self._process = self._held.enter_context(serving(self.store, self.port))

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self.stop()

    def stop(self):
        self._held.close()

    def active(self, study, kind):
        """Runs of a kind: (run id, status, its tags)."""
        with closing(sqlite3.connect(f"{self.folder}/server.db")) as store:
            runs = store.execute(
                "SELECT run_uuid, status FROM runs JOIN experiments USING (experiment_id)"
                " WHERE runs.lifecycle_stage = 'active' AND experiments.name = ?", (study,),
            ).fetchall()  # fmt: skip
            tags = {run: dict(store.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run,))) for run, _ in runs}
        return [(run, status, tags[run]) for run, status in runs if tags[run].get("kind") == kind]

    def points(self, run):
        """Metric → how many points a run has of it."""
        with closing(sqlite3.connect(f"{self.folder}/server.db")) as store:
            return dict(store.execute("SELECT key, count(*) FROM metrics WHERE run_uuid = ? GROUP BY key", (run,)))


class Proxy:
    """A TCP proxy before a server, a thread a connection.

    Attributes:
        mode: `pass`; `slow`: each answer takes `seconds`; `hang`: none comes; `lose`: each seventh answer is lost after
            the server has done what it was asked to; or a status line that is every answer.
        requests: how many there were.
    """

    def __init__(self, server, port=0):
        self.mode, self.seconds, self.requests = "pass", 0.2, 0
        self._server, self._listening = server, socket.create_server((HOST, port))
        self.uri = f"http://{HOST}:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listening.accept()[:1], daemon=True).start()

    def _serve(self, client):
        with suppress(OSError), client:
            if self.mode not in ("pass", "slow", "lose", "hang"):
                client.recv(1 << 20)
                client.sendall(f"HTTP/1.1 {self.mode}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno".encode())
                return
            with socket.create_connection((HOST, self._server.port)) as server:
                self._forward(client, server)

    def _forward(self, client, server):
        asked = False
        with selectors.DefaultSelector() as either:
            either.register(client, selectors.EVENT_READ, server)
            either.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in either.select():
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if key.fileobj is client:
                        self.requests, asked = self.requests + (not asked), True
                    elif asked and not self._answer():
                        return
                    else:
                        asked = False
                    key.data.sendall(data)

    def _answer(self):
        """Whether the answer goes on its way."""
        while self.mode == "hang":
            time.sleep(0.05)
        if self.mode == "slow":
            time.sleep(self.seconds)
        return self.mode != "lose" or self.requests % 7 != 0
