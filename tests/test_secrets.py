"""Passwords stay out of messages and command lines."""

from __future__ import annotations

import pytest

from ablate.cli.options import command_line
from ablate.secrets import without_secrets, word_without_secrets


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("--storage postgresql://me:secret@host/db", "--storage postgresql://me:…@host/db"),
        ("--storage postgresql://me:se@cret:x@host/db", "--storage postgresql://me:…@host/db"),
        ("--tracking-uri https://:token@host", "--tracking-uri https://:…@host"),
        (
            "'postgresql://host/db?user=me&password=secret&sslmode=require'",
            "'postgresql://host/db?user=me&password=…&sslmode=require'",
        ),
        ("--tracking-uri https://TOKEN@host/x", "--tracking-uri https://…@host/x"),
        ("postgresql://me:pa/ss@host/db", "postgresql://me:…@host/db"),
        ("https://host/x?sig=abc&a=1", "https://host/x?sig=…&a=1"),
        (
            "--tracking-uri: 'http://bob:hunter2@127.0.0.1:9' can't be opened",
            "--tracking-uri: 'http://bob:…@127.0.0.1:9' can't be opened",
        ),
        ("sqlite:////home/me@work/optuna.db", "sqlite:////home/me@work/optuna.db"),
        ("--set primary_keys=3 --set tokens=4", "--set primary_keys=3 --set tokens=4"),
        ("--set pad_token=0 --set max_token=7, design_sig=on", "--set pad_token=0 --set max_token=7, design_sig=on"),
        ("password=12345 token=1a https://host/x?token=123&sig=0", "password=… token=… https://host/x?token=…&sig=…"),
        ("sqlite:///optuna.db --seeds 4", "sqlite:///optuna.db --seeds 4"),
        ("ray://host:10001 --set data=me@host:x", "ray://host:10001 --set data=me@host:x"),
    ],
)
def test_passwords_are_left_out(given: str, kept: str) -> None:
    assert without_secrets(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        {"storage": "postgresql://me:hunter 2@host/db"},
        {"set_": ["hf_token=hunter 2"]},
        {"set_": ["pwd=hunter"]},
        {"tracking_uri": "https://hunter@host"},
    ],
)
def test_a_command_line_that_is_kept_has_none(given: dict[str, object]) -> None:
    line = command_line("run", "a study.yaml", seeds=0, **given)  # type: ignore[arg-type]
    assert line.startswith("python -m ablate run 'a study.yaml' --seeds 0 --")
    assert "hunter" not in line and "…" in line and " 2" not in line


@pytest.mark.parametrize("word", ["pad_token=0", "max_token=-7", "token=1e-3", "design_sig=on", "eos_token=None", "token="])
def test_a_number_or_a_switch_is_no_password(word: str) -> None:
    assert word_without_secrets(word) == word


@pytest.mark.parametrize("word", ["hf_token=hf0", "token=0x1", "password=12345", "--pwd=0", "api_key=7", "token=0 1"])
def test_all_else_that_is_called_so_is_one(word: str) -> None:
    assert word_without_secrets(word) == word.partition("=")[0] + "=…"
