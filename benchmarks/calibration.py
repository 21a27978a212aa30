"""Is the verdict calibrated? Simulated studies through the code that judges real runs, beside the rules that others use.

`PYTHONPATH=. python benchmarks/calibration.py` prints the tables (Markdown) and exits with 1 where a required line fails. With
10,000 studies a cell it takes about half an hour on one core; `--quick` about one minute, with large simulation errors. `--write`
puts the tables between the markers of benchmarks/RESULTS.md and draws benchmarks/calibration.png.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from benchmarks.calibrate.figure import draw
from benchmarks.calibrate.plan import simulate
from benchmarks.calibrate.table import checks, markdown

HERE = Path(__file__).parent
MARKED = re.compile(r"(<!-- calibration -->\n).*?(<!-- /calibration -->)", re.DOTALL)


def insert(text: str, tables: str) -> str:
    """The text with the tables between its markers.

    Raises:
        ValueError: if it has no markers.
    """
    if not MARKED.search(text):
        raise ValueError(
            "RESULTS.md has no <!-- calibration --> … <!-- /calibration -->; add these two lines where the tables belong"
        )
    return MARKED.sub(lambda found: f"{found[1]}{tables}{found[2]}", text)


def main(words: list[str] | None = None) -> int:
    """Run it; 1 where a required line fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000, help="simulated studies a cell")
    parser.add_argument("--quick", action="store_true", help="250 studies a cell")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md and benchmarks/calibration.png")
    parser.add_argument("--figure", type=Path, help="draw the figure here too")
    chosen = parser.parse_args(words)
    results = simulate(
        250 if chosen.quick else chosen.studies, chosen.workers, lambda text: print(text, file=sys.stderr, flush=True)
    )
    tables = markdown(results)
    print(tables)
    if chosen.write:
        path = HERE / "RESULTS.md"
        path.write_text(insert(path.read_text(encoding="utf-8"), tables), encoding="utf-8")
    for path in [HERE / "calibration.png"] * chosen.write + [chosen.figure] * bool(chosen.figure):
        draw(results, path)
    return int(not all(check.holds for check in checks(results)))


if __name__ == "__main__":
    sys.exit(main())
