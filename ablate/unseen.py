"""Passwords of this process's command line, which every user of the machine can see, are taken from it.

A process can't change its command line, so the program is started anew in its place, with `…` for each password. What the words
were reaches it through a pipe: neither a file nor its environment holds them. `ps` shows the first start for some hundredths of
a second; where that is too much, passwords belong in the environment (`ABLATE_STORAGE`, `MLFLOW_TRACKING_URI`).
"""

from __future__ import annotations

import json
import os
import sys

from ablate.errors import BadInput
from ablate.secrets import word_without_secrets

#: The variable that says which pipe the words come through.
PIPE = "ABLATE_WORDS"
#: Bytes that a pipe takes without a reader, on every system.
ROOM = 4096


def hide_passwords() -> None:
    """Give `sys.argv` its words where this is the second start; else make one, if any word holds a password.

    Raises:
        BadInput: if the words are too long for it.
    """
    pipe = os.environ.pop(PIPE, "")
    if pipe.isdecimal():
        with open(int(pipe), encoding="utf-8") as told:
            sys.argv[1:] = json.load(told)
        return
    shown = [word_without_secrets(word) for word in sys.argv[1:]]
    real = json.dumps(sys.argv[1:]).encode()
    before = len(sys.orig_argv) - len(shown)
    if shown == sys.argv[1:] or sys.orig_argv[before:] != sys.argv[1:] or os.name != "posix":
        return
    if len(real) > ROOM:
        raise BadInput(
            f"the command line: its passwords can be hidden from other users of this machine in {ROOM:,} bytes at most; "
            "give stores with a password in the environment (ABLATE_STORAGE, MLFLOW_TRACKING_URI), or shorter words"
        )
    reading, writing = os.pipe()
    os.write(writing, real)
    os.close(writing)
    os.set_inheritable(reading, True)
    words = [word.encode("utf-8", "surrogateescape") for word in (*sys.orig_argv[:before], *shown)]
    os.execve(sys.executable, words, {**os.environ, PIPE: str(reading)})
