"""Addresses of pages of MLflow, relative to its server.

Which of MLflow's two views a page opens in is not the experiment's to say: a browser keeps the one that it showed last, agents'
and traces' at first, and an address may name the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

#: The view of trainings.
VIEW = "workflowType=machine_learning"


def experiment(key: str) -> str:
    """An experiment's runs."""
    return f"#/experiments/{key}/runs?{VIEW}"


def charts(key: str, condition: str) -> str:
    """All metrics of an experiment's runs that meet a condition, each in one plot."""
    return f"#/experiments/{key}/runs?compareRunsMode=CHART&searchFilter={quote(condition)}&{VIEW}"


def artifact(key: str, run: str, path: str) -> str:
    """An artifact of a run."""
    return f"#/experiments/{key}/runs/{run}/artifacts/{quote(path)}?{VIEW}"


def compare(key: str, runs: Sequence[str]) -> str:
    """Runs of an experiment side by side: params, metrics and tags."""
    return f"#/compare-runs?{_query({'runs': runs, 'experiments': [key]})}&{VIEW}"


def shared(key: str, name: str) -> str:
    """Charts of an experiment in a view that was left with it."""
    return f"#/experiments/{key}/runs?compareRunsMode=CHART&viewStateShareKey={name}&{VIEW}"


def _query(asked: Mapping[str, Any]) -> str:
    """Parameters whose values are JSON."""
    return "&".join(f"{name}={quote(json.dumps(value, separators=(',', ':')))}" for name, value in asked.items())
