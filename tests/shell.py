"""The command line as a process, and what it leaves."""

import csv
import json
import os
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLANTED = "studies/planted.yaml"
#: A small study without any training in it.
STUDY = """
name: small
target: ablate.targets.planted:train
fixes:
  good: {off: {helps: 0}, on: {helps: 1}}
  bad: {off: {harms: 0}, on: {harms: 1}}
design: {seeds: 3}
outcome: {metric: score, minimum_effect: 0.5}
curves: [progress]
"""


def command(*words):
    return [sys.executable, "-m", "ablate", *map(str, words)]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def verdict(folder, name="planted"):
    return json.loads((folder / "reports" / name / "verdict.json").read_text())


def rows(folder, name="planted"):
    with (folder / "reports" / name / "runs.csv").open() as file:
        return list(csv.DictReader(file))


def write(folder, text):
    (folder / "study.yaml").write_text(text)
    return "study.yaml"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
