"""What a report costs: `PYTHONPATH=. python benchmarks/report.py` prints a table of phases for two studies in under a minute.

The studies are made, not trained: 84 runs (three fixes, six seeds, three sweeps) and some 1,000 (five fixes, 30 seeds), each with
curves of 16 metrics over 401 steps. Each report is written in a fresh process, the median of three, so that imports count. Phases
that run beside each other (PNGs, typesetting and the page) share the processor: they add up to more than the whole.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablate.design import Plan

REPEATS = 3
#: A phase by its name → the functions it consists of; those that are not there are passed over.
PHASES = {
    "read": (("ablate.records", "Series"), ("ablate.records", "Records.load")),
    "figures": (("ablate.report.gallery", "draw_all"),),
    "PNGs": (("ablate.report.png", "write_pngs"),),
    "typeset": (("ablate.report.pdf", "typeset"),),
    "page": (("ablate.report.html", "write_html"),),
}
IMPORTS = (
    "ablate.assess",
    "ablate.written",
    "ablate.report.content",
    "ablate.report.gallery",
    "ablate.report.pdf",
    "ablate.report.html",
)
HEAVY = ("matplotlib.figure", "matplotlib.backends.backend_agg", "pyarrow.parquet", "typst")


def plan(runs: int) -> Plan:
    """The study of some 84 or 1,000 runs."""
    from tests.report.synthetic import THREE_FIXES, planned

    if runs < 100:
        area = {"param": "min_box_area", "values": [0.001, 0.003, 0.03], "seeds": 3}
        return planned(sweeps={**THREE_FIXES["sweeps"], "box_area": area})
    clip = {"off": {"clip": 0}, "on": {"clip": 1}}
    decay = {"off": {"decay": "none"}, "on": {"decay": "cosine"}}
    return planned(fixes={**THREE_FIXES["fixes"], "gradient_clip": clip, "decay": decay}, design={"seeds": 30})


def timed(spent: dict[str, float], phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its wall time added up."""

    def wrapped(*args: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **more)
        finally:
            spent[phase] = spent.get(phase, 0.0) + time.perf_counter() - start

    return wrapped


def watch(spent: dict[str, float]) -> None:
    """Put a clock on every phase."""
    for phase, places in PHASES.items():
        for module, name in places:
            try:
                holder: Any = importlib.import_module(module)
            except ImportError:
                continue
            *path, last = name.split(".")
            for part in path:
                holder = getattr(holder, part)
            setattr(holder, last, timed(spent, phase, getattr(holder, last)))


def once(runs: int, out: Path, began: float) -> dict[str, float]:
    """Seconds of each phase of one report, in this process. `began`: when it was started, seconds since the epoch."""
    made = plan(runs)
    for name in (*IMPORTS, *HEAVY):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    spent = {"start and imports": time.time() - began}
    watch(spent)
    from ablate.assess import assess
    from ablate.records import Records
    from ablate.report import write_report
    from ablate.written import write_results

    start = time.perf_counter()
    records = Records(out)
    found = assess(made, records)
    write_results(found, out)
    spent["analyse"] = time.perf_counter() - start - spent["read"]
    write_report(found, records, out)
    return {**spent, "whole": time.time() - began}


def repeated(runs: int, out: Path) -> dict[str, float]:
    """Median seconds of each phase, each repeat in a process of its own."""
    found: list[dict[str, float]] = []
    for _ in range(REPEATS):
        words = [sys.executable, __file__, str(runs), str(out), str(time.time())]
        found.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))
    return {phase: statistics.median(each[phase] for each in found) for phase in found[0]}


def main() -> None:
    """The table."""
    from tests.report.synthetic import add_results

    with tempfile.TemporaryDirectory() as folder:
        found: dict[int, dict[str, float]] = {}
        for runs in (84, 1000):
            made = plan(runs)
            add_results(made, Path(folder) / str(runs))
            found[len(made.runs)] = repeated(runs, Path(folder) / str(runs))
    heads = " | ".join(f"{count} runs, s | of the whole" for count in found)
    print(f"| phase | {heads} |\n| --- |{' ---: |' * 2 * len(found)}")
    order = ("start and imports", "read", "analyse", "figures", "PNGs", "typeset", "page", "whole")
    for phase in (name for name in order if any(name in each for each in found.values())):
        cells = (f"{each.get(phase, 0.0):.2f} | {each.get(phase, 0.0) / each['whole']:.2f}" for each in found.values())
        print(f"| {phase} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(once(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))))
    else:
        main()
