"""Passwords on the command line: what others see of the process, and what it is told."""

import json
import subprocess
import sys

import pytest

from ablate.errors import BadInput
from ablate.secrets import check_address
from tests.shell import command, environment

#: A program that hides its passwords, then tells what it was given and what others see of it.
PROGRAM = """
import json, os, sys
from pathlib import Path
from ablate.unseen import hide_passwords
hide_passwords()
seen = [Path(f"/proc/self/{name}").read_bytes().decode() for name in ("cmdline", "environ")]
print(json.dumps([sys.argv[1:], seen, sorted(os.environ)]))
"""
SECRETS = ["--storage", "postgresql://me:hunter 2@h/d", "--tracking-uri=https://hunter@h", "--set", "hf_token=hunter", "a…b\n"]


def started(*words, **more):
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PROGRAM, *words], env=environment() | more, check=True, capture_output=True
    )
    return json.loads(ran.stdout)


def test_a_password_is_told_and_not_seen():
    told, seen, names = started(*SECRETS)
    assert told == SECRETS
    assert "hunter" not in "".join(seen)
    assert "postgresql://me:…@" in seen[0] and "hf_token=…" in seen[0]
    assert "ABLATE_WORDS" not in names


def test_words_without_a_password_are_left_alone():
    told, seen, _ = started("run", "study.yaml", "--storage", "sqlite:///me@work.db")
    assert told == ["run", "study.yaml", "--storage", "sqlite:///me@work.db"]
    assert seen[0].split("\0")[-5:-1] == told


def test_another_locale_is_no_obstacle():
    assert started(*SECRETS[:2], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")[0] == SECRETS[:2]


def test_a_password_that_can_not_be_hidden_is_refused_unseen():
    words = ("run", "study.yaml", "--storage", "postgresql://me:hunter@h/d", *(f"--set=name{i}={i}" for i in range(400)))
    ran = subprocess.run(command(*words), env=environment(), text=True, capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("error: the command line: its passwords") and "ABLATE_STORAGE, MLFLOW_TRACKING_URI" in ran.stderr
    assert "hunter" not in ran.stderr


@pytest.mark.parametrize("password", ["p@ss", "pa/ss", "p#ss", "p?ss", "p ss", "[pss]", "p'ss", 'p"ss'])
def test_a_password_that_would_be_taken_for_a_host_is_refused_unseen(password):
    for url in (f"postgresql+psycopg://anna:{password}@host/db", f"http://anna:{password}@host:5000"):
        with pytest.raises(
            BadInput, match="--storage: its password has a character that a URL can't hold as it is; write @ as %40"
        ) as e:
            check_address("--storage", url)
        assert "ss@" not in str(e.value)


@pytest.mark.parametrize("url", ["anna:pass@host/db", "postgresql:/anna:pass@host/db"])
def test_what_has_a_password_and_is_no_url_is_not_repeated(url):
    with pytest.raises(BadInput, match="--storage: has a password and is no URL; one begins with"):
        check_address("--storage", url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mlruns",
        "sqlite:////home/me@work/optuna.db",
        "file:///home/me@work",
        "http://host:5000/x@y",
        "postgresql+psycopg://anna:p%40ss@host/db?sslmode=require",
        "http://anna:pässwörd:1@host",
        "databricks://scope:prefix",
    ],
)
def test_other_addresses_pass(url):
    check_address("--storage", url)
