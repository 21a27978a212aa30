"""The training on one GPU, faster and faster: `PYTHONPATH=. python benchmarks/gpu.py` prints one table.

Rows are ways to take the same optimizer steps (8 forwards of 4 images, bf16), each timed once its losses are within a
stated bound of eager mode's (`BOUNDS` in onegpu/measure.py): folded, as a CUDA graph, compiled, several processes on the device,
arms and seeds stacked as one program. Start, evaluations and probes of a run are in no figure. It needs the training alone:
torch 2.11 or newer, transformers 5, tokenizers, pillow, filelock, platformdirs; no Optuna, MLflow or Ray.

`--scale` and `--only` take a part, where time on the card is short; `--device cpu --small` tries the script out. Without CUDA
what needs it stays open. Exit code 1: a row failed, or differs from eager mode.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers

from benchmarks.onegpu.measure import Case, Measured, alone, floor, measure
from benchmarks.onegpu.rows import EAGER, FOLDED, rows
from benchmarks.onegpu.table import HEAD, LEGEND, floor_line, line


def main(words: Sequence[str] | None = None) -> int:
    """Print the table, row by row as it is measured."""
    asked = _parsed(words)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}\n\n{HEAD}")
    notes, failed = list[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        for scale in ["tiny"] if asked.small else asked.scale:
            precisions = ("fp32",) if asked.small else ("fp32", "bf16")
            failed += _scale(Case(scale, asked.device, Path(folder), precisions, asked.seconds), asked.only, notes)
    print("", LEGEND, *notes, sep="\n")
    return min(failed, 1)


def _scale(case: Case, only: Sequence[str], notes: list[str]) -> int:
    """Print a scale's rows, note its floor, and return how many failed or differ."""
    there = case.device == "cpu" or torch.cuda.is_available()
    on = torch.cuda.get_device_name() if case.device == "cuda" and there else "one CPU core" if there else "a GPU"
    least = alone(floor, case) if there else None
    notes += [floor_line(on, case.scale, least)] if least else []
    every: dict[str, Measured] = {}
    for row in rows(case.scale):
        if only and row.name not in (EAGER, FOLDED) and not any(word in row.name for word in only):
            continue
        found = _measured(row.name, case) if there else None
        every |= {row.name: found} if found else {}
        print(line(on, case.scale, row.name, found, every, least), flush=True)
    return sum(found.differs or found.why.startswith("failed") for found in every.values())


def _measured(name: str, case: Case) -> Measured:
    try:
        return alone(measure, case, name)
    except RuntimeError as error:
        return Measured(why=f"failed: {error}")


def _parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--scale", nargs="+", choices=("small", "vit"), default=["small", "vit"])
    parser.add_argument("--small", action="store_true", help="a tiny model in fp32, on few rows: does the script run?")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="rows whose name has one of these, and the eager ones"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="that a row is timed for")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
