"""A real PostgreSQL for tests, on a free loopback port, in a folder of its own. Debian's package `postgresql` has it."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.shell import free_port

USER, DATABASE = "anna", "ablate"


@dataclass(frozen=True)
class Postgres:
    """A server that takes no connection without the password."""

    port: int
    password: str
    log: Path

    def url(self, password=None):
        """For `--storage`."""
        return f"postgresql+psycopg://{USER}:{quote(password or self.password, safe='')}@127.0.0.1:{self.port}/{DATABASE}"

    def dump(self):
        """Everything it holds, as text."""
        import psycopg

        with psycopg.connect(self.url().replace("+psycopg", "")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            return "\n".join(str(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in tables)


def programs():
    """The newest installed server's folder of programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgres(password="plain"):
    """A server as long as the context lasts; skips the test where none is installed. It refuses root, and then is nobody's."""
    there = programs()
    if there is None:
        pytest.skip("needs PostgreSQL (Debian's package postgresql)")
    home = Path(tempfile.mkdtemp(prefix="pg-"))  # below a test's own folder nobody could not enter it
    root = os.geteuid() == 0
    who = pwd.getpwnam("nobody") if root else None

    def run(*words):
        options = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
        subprocess.run([there / words[0], *words[1:]], check=True, cwd=home, stdout=subprocess.DEVNULL, **options)

    port = free_port()
    try:
        (home / "password").write_text(password)
        if who:
            for path in (home, home / "password"):
                os.chown(path, who.pw_uid, who.pw_gid)
        data = home / "data"
        run("initdb", "-D", data, "-U", USER, "--pwfile", home / "password", "-A", "scram-sha-256", "--no-sync", "-E", "UTF8")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
        run("pg_ctl", "-D", data, "-l", home / "log", "-o", settings, "-w", "start")
        try:
            server = Postgres(port, password, home / "log")
            _create(server)
            yield server
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)


def _create(server):
    import psycopg

    address = server.url().replace("+psycopg", "").replace(f"/{DATABASE}", "/postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
