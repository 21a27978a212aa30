"""The command line as a process."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def command(*words):
    return [sys.executable, "-m", "ablate", *map(str, words)]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
