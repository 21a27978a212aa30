"""Addresses of tracking stores: what can be said of one before anything is opened, and whether its schema is this MLflow's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from ablate.errors import BadInput
from ablate.secrets import without_secrets

#: What MLflow opens by itself; plug-ins name others.
DATABASES, SERVERS = ("postgresql", "mysql", "mssql"), ("http", "https")
NAMED = ("databricks", "databricks-uc", "uc")
#: Where plug-ins are found.
PLUGINS = "mlflow.tracking_store"
#: Seconds that a database has to take a connection.
CONNECTING = 10


def is_server(uri: str) -> bool:
    """Whether the address is a tracking server's, and not a store's that this machine opens by itself."""
    return urlsplit(uri).scheme in SERVERS


def is_local(uri: str) -> bool:
    """Whether the store lies in a file or a folder, so that it can be opened at once."""
    scheme = urlsplit(uri).scheme.partition("+")[0]
    return scheme in ("", "file", "sqlite") and uri not in NAMED


def check(uri: str) -> None:
    """See that an address can be one; nothing is opened.

    Raises:
        BadInput: if it can't.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port if parts.scheme in SERVERS else None
    except ValueError as error:
        _refuse(uri, str(error))
    kind = parts.scheme.partition("+")[0]
    if kind in SERVERS:
        if not parts.hostname or port == 0 or any(letter.isspace() for letter in uri):
            _refuse(uri, "it names no host")
    elif kind == "sqlite":
        _check_file(uri)
    elif kind in DATABASES:
        _check_database(uri)
    elif not is_local(uri) and uri not in NAMED and kind not in {*NAMED, *_plugins()}:
        _refuse(uri, "MLflow has no such stores")


def check_exists(uri: str) -> None:
    """See that a store in a file or a folder is there: MLflow would make one.

    Raises:
        BadInput: if it isn't.
    """
    check(uri)
    parts = urlsplit(uri)
    if parts.scheme.startswith("sqlite"):
        path = file_of(uri)
        if not path.is_file() or not path.stat().st_size:
            raise BadInput(f"--tracking-uri: {path} is no MLflow store; run a study first, or name the store it was logged to")
    elif parts.scheme in ("", "file") and not Path(unquote(parts.path)).is_dir():
        raise BadInput(f"--tracking-uri: {uri!r} is no folder and no address; name the store that the study was logged to")


def file_of(uri: str) -> Path:
    """The file that an SQLite store lies in."""
    return Path(unquote(urlsplit(uri).path[1:]))


def check_schema(uri: str) -> None:
    """See that a database's tables are as this MLflow wants them: it would change some older ones without a word.

    Raises:
        BadInput: if they are not, with the command that changes them.
        sqlalchemy.exc.SQLAlchemyError: if the database can't be reached.
    """
    kind = urlsplit(uri).scheme.partition("+")[0]
    if kind not in (*DATABASES, "sqlite") or (kind == "sqlite" and not file_of(uri).is_file()):
        return
    import mlflow
    from alembic.script import ScriptDirectory

    there = _revision(uri)
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    if there in (None, scripts.get_current_head()):
        return
    if there in {script.revision for script in scripts.walk_revisions()}:
        age, remedy = "an older", f"back it up, then type mlflow db upgrade {without_secrets(uri)}"
    else:
        age, remedy = "a newer", "install the MLflow that wrote it (pip install -U mlflow)"
    raise BadInput(f"--tracking-uri: {uri!r} has {age} schema than MLflow {mlflow.__version__} wants; {remedy}")


def _revision(uri: str) -> str | None:
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    waiting = {"connect_timeout": CONNECTING} if uri.startswith(("postgresql", "mysql")) else {}
    engine = create_engine(uri, poolclass=NullPool, connect_args=waiting)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _check_file(uri: str) -> None:
    path = file_of(uri)
    if path.is_dir():
        raise BadInput(f"--tracking-uri: {path} is a folder; name a file in it: sqlite:///{path}/mlflow.db")
    if path.is_file() and path.stat().st_size and not _is_mlflow(path):
        raise BadInput(f"--tracking-uri: {path} is no MLflow store; run a study first, or name the store it was logged to")


def _is_mlflow(path: Path) -> bool:
    """Whether it has MLflow's tables. Opened to be written, or SQLite couldn't take back what a kill left half written."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as store:
            return bool(store.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchall())
    except sqlite3.Error:
        return False


def _check_database(uri: str) -> None:
    """See that the URL can be read and its driver is installed."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as error:  # a dialect that is not there is an ArgumentError
        _refuse(uri, str(error).partition("\n")[0])


@contextmanager
def opening(uri: str) -> Iterator[None]:
    """Say in one line why a store can't be opened.

    Raises:
        BadInput: whatever it raises.
    """
    from ablate.tracking.store import reason

    try:
        yield
    except BadInput:
        raise
    except Exception as error:  # each kind of store raises its own
        raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({reason(error)}); give one that can, or none") from error


def _plugins() -> set[str]:
    return {found.name for found in entry_points(group=PLUGINS)}


def _refuse(uri: str, why: str) -> NoReturn:
    raise BadInput(f"--tracking-uri: {uri!r} can't be opened ({why}); give one that can, or none")
