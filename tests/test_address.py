"""Addresses of tracking stores that can't be one, and stores of another schema: one line, and nothing written."""

import sqlite3
from contextlib import closing

import mlflow
import pytest
from alembic import command
from alembic.config import Config
from mlflow.tracking import MlflowClient
from sqlalchemy import create_engine

from ablate.errors import BadInput
from ablate.tracking.address import check, check_schema, is_local
from tests.builders import FIXES, raw, write_study


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("nonsense://x", "MLflow has no such stores"),
        ("http://", "it names no host"),
        ("http:///x", "it names no host"),
        ("http://a b:5000", "it names no host"),
        ("http://host:99999", "Port out of range 0-65535"),
        ("http://host:port", "Port could not be cast to integer value as 'port'"),
        ("postgresql+nothing://me@host/db", "Can't load plugin: sqlalchemy.dialects:postgresql.nothing"),
        ("postgresql://me@host:port/db", "invalid literal"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_before_anything_is_opened(uri, why):
    with pytest.raises(
        BadInput, match=rf"^--tracking-uri: '{uri}' can't be opened \(.*\); give one that can, or none$".replace("+", r"\+")
    ) as said:
        check(uri)
    assert why in str(said.value)


def test_addresses_of_every_kind_are_taken():
    for uri in ("http://host:5000", "https://me:pw@host/mlflow", "postgresql+psycopg://me:p%40ss@host/db", "databricks"):
        check(uri)
        assert not is_local(uri)
    for uri in ("sqlite:///mlflow.db", "mlruns", "file:///tmp/mlruns"):
        check(uri)
        assert is_local(uri)


def test_a_file_that_is_no_store_is_left_as_it_is(tmp_path):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as store:
        store.execute("CREATE TABLE mine (x)")
    before = other.read_bytes()
    with pytest.raises(BadInput, match=r"other.db is no MLflow store"):
        check(f"sqlite:///{other}")
    with pytest.raises(
        BadInput, match=rf"^--tracking-uri: {tmp_path} is a folder; name a file in it: sqlite:///{tmp_path}/mlflow.db$"
    ):
        check(f"sqlite:///{tmp_path}")
    assert other.read_bytes() == before


def test_a_store_of_another_schema_is_named_with_the_command_that_mends_it_and_left_as_it_is(cli):
    uri, path = f"sqlite:///{cli.folder}/old.db", cli.folder / "old.db"
    MlflowClient(uri).search_experiments()
    check_schema(uri)
    config = Config()
    config.set_main_option("script_location", f"{mlflow.__path__[0]}/store/db_migrations")
    with create_engine(uri).begin() as config.attributes["connection"]:
        command.downgrade(config, "-3")
    before = path.read_bytes()
    write_study(cli.folder, raw(fixes={"good": FIXES["good"]}))
    ran = cli("run", "study.yaml", "--engine", "inline", "--tracking-uri", uri)
    assert (ran.returncode, ran.stdout) == (2, "")
    said = f"error: --tracking-uri: '{uri}' has an older schema than MLflow {mlflow.__version__} wants; back it up, then type "
    assert ran.stderr.endswith(f"{said}mlflow db upgrade {uri}\n")
    assert path.read_bytes() == before
    assert not (cli.folder / "reports").exists()
    with create_engine(uri).begin() as config.attributes["connection"]:
        command.upgrade(config, "heads")  # what `mlflow db upgrade` does
    check_schema(uri)
    with closing(sqlite3.connect(path)) as store:
        store.execute("UPDATE alembic_version SET version_num = 'fffffffffff'")
        store.commit()
    with pytest.raises(BadInput, match=r"has a newer schema than MLflow .* wants; install the MLflow that wrote it"):
        check_schema(uri)
