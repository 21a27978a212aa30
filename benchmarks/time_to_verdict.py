"""Time to verdict on the three fixes, against what people use today: `PYTHONPATH=. python benchmarks/time_to_verdict.py`.

Both train the factorial of `studies/three_fixes.yaml` without its sweeps, 2³ arms × 6 seeds: the baseline (`peer.py`) by an
Optuna grid around a transformers `Trainer`, one trial after another; ours by `python -m ablate run`, which trains one run more
(a repetition, as a check), analyses and writes the report. Each is a process with fresh stores, timed from start to end, in
turn; pretrained weights are there before, made scenes are not: each makes its own. The ratio is of the two in one repeat.

Then it is checked that both trained the same (`race/agreement.py`), and the exit code is 1 where they didn't; and a table says
what each of our savings is worth alone. It needs `accelerate`, and a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from ablate.study import load_study
from ablate.targets.region_clip.settings import resolve
from ablate.targets.region_clip.start import ensure_start
from benchmarks.race.agreement import Check, described, markdown, of_ours, of_peer, rough, tight
from benchmarks.race.processes import STUDY, forget_scenes, ours, peer
from benchmarks.race.shares import shares

#: A short training in float32, past the bank's start, for the comparison forward by forward.
EXACT = ("precision=fp32", "forwards=104")
EXACT_SEEDS = 2


def race(home: Path, repeats: int, seeds: int, words: tuple[str, ...]) -> tuple[str, list[Check]]:
    """The table of times, and the checks on the last repeat's trainings."""
    taken = []
    for repeat in range(repeats):
        forget_scenes()
        theirs_took = peer(home / f"peer-{repeat}", seeds, *words)
        forget_scenes()
        taken.append((theirs_took, ours(home / f"ours-{repeat}", seeds)))
        print(f"repeat {repeat}: {taken[-1][0]:.1f} s, {taken[-1][1]:.1f} s", file=sys.stderr, flush=True)
    rows = [f"| {8 * seeds} runs | peer, s | ablate, s | ratio |", "| --- | ---: | ---: | ---: |"]
    rows += [f"| repeat {i + 1} | {theirs:.1f} | {mine:.1f} | {theirs / mine:.2f} |" for i, (theirs, mine) in enumerate(taken)]
    ratios, columns = [theirs / mine for theirs, mine in taken], [*zip(*taken, strict=True)]
    for name, of in (("min", min), ("median", statistics.median), ("max", max)):
        rows.append(f"| {name} | {of(columns[0]):.1f} | {of(columns[1]):.1f} | **{of(ratios):.2f}** |")
    theirs, mine = of_peer(home / f"peer-{repeats - 1}"), of_ours(home / f"ours-{repeats - 1}", seeds)
    rows += ["", f"- peer: effects on top-1 {described(theirs)}", f"- ablate: {described(mine)}"]
    study = load_study(STUDY)
    return "\n".join(rows), rough(theirs, mine, resolve(study.params)["gradient_accumulation"], study.outcome.minimum_effect)


def exact(home: Path, words: tuple[str, ...]) -> list[Check]:
    """The checks on short trainings in float32."""
    settings = tuple(word for each in EXACT for word in ("--set", each))
    peer(home / "peer-exact", EXACT_SEEDS, *settings, *words)
    ours(home / "ours-exact", EXACT_SEEDS, *settings)
    return tight(of_peer(home / "peer-exact"), of_ours(home / "ours-exact", EXACT_SEEDS, EXACT))


def main(words: list[str] | None = None) -> int:
    """Run it; 1 where the two did not train the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=6, help="at least 2")
    parser.add_argument("--share-seeds", type=int, default=2, help="of the table of savings; 0 leaves it out")
    parser.add_argument("--attention", default="", help="the baseline's; default as peer.py has it")
    parser.add_argument("--threads", default="", help="the baseline's; default torch's own choice")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep all that is written, there")
    chosen = parser.parse_args(words)
    home = (chosen.keep or Path(tempfile.mkdtemp(prefix="verdict-"))).resolve()
    given = {"--attention": chosen.attention, "--threads": chosen.threads}
    theirs = tuple(word for option, value in given.items() if value for word in (option, value))
    load = os.getloadavg()[0]
    try:
        ensure_start(resolve(load_study(STUDY).params))
        times, checks = race(home, chosen.repeats, chosen.seeds, theirs)
        closely = exact(home, theirs)
        tables = [times, markdown("bf16, absolute difference", checks), markdown("fp32, absolute difference", closely)]
        print("\n\n".join([f"{os.cpu_count()} cores; load when it began {load:.1f}", *tables]), flush=True)
        if chosen.share_seeds:
            print(f"\n{shares(home / 'shares', chosen.share_seeds)}")
    finally:
        if not chosen.keep:
            shutil.rmtree(home)
    return int(not all(check.holds for check in (*checks, *closely)))


if __name__ == "__main__":
    sys.exit(main())
