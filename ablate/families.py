"""Runs that do the same for a while: which they are, and the order in which each finds most of it done.

Two runs of one seed whose params differ in something that isn't reached yet (a warm-up) are one training until it is. A target
says so (`Declaration.shares`) and does the sharing, within a worker process; here its runs are put one behind another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from ablate.design import PlannedRun
from ablate.engines.base import Task
from ablate.target import Prefix, Target, target_errors


def tasks_of(todo: Sequence[PlannedRun], target: Target, device: str, share: bool = True, profile: bool = False) -> list[Task]:
    """What is to be trained, in the order in which it is begun.

    A family stands where its first run stood, by growing point, so that each run finds what it has in common with the next one
    done. Blocks of seeds keep their order, so that an interrupted study has as many complete ones as can be; within a block large
    families come first, since a family at a block's end would keep one worker busy while the others have nothing left.

    Args:
        share: whether runs may go on from where others came to.
        profile: whether it is noted where each one's time goes.
    """
    found = prefixes(todo, target) if share else {}
    groups: dict[str, list[Task]] = {}
    for run in todo:
        task = Task(run.id, target.name, run.cell.params, run.seed, device, profile, found.get(run.id, Prefix()))
        groups.setdefault(task.prefix.family or run.id, []).append(task)
    blocks = [list(block) for _, block in groupby(groups.values(), key=lambda group: group[0].seed)]
    ordered = [group for block in blocks for group in sorted(block, key=len, reverse=True)]
    return [task for group in ordered for task in _in_line(group)]


def _in_line(group: Sequence[Task]) -> list[Task]:
    """By growing point; the last knows that none comes behind it, so that what the family shared can be let go."""
    *before, last = sorted(group, key=lambda task: task.prefix.point)
    return [*before, replace(last, followed=False)]


def prefixes(todo: Sequence[PlannedRun], target: Target) -> dict[str, Prefix]:
    """What each run has in common with others of these, by run id; only of runs that have something.

    The runs that check the study are none of them: that a run repeats bit for bit is seen by training it from its start.

    Raises:
        EngineError: in one line, whatever the target raises.
    """
    read = target.declaration.shares
    with target_errors(target.name, "saying what its runs have in common"):
        found = {run.id: _of_seed(read(run.cell.params), run.seed) for run in todo if not run.aside} if read else {}
    many = Counter(prefix.family for prefix in found.values())
    return {run_id: prefix for run_id, prefix in found.items() if prefix.family and many[prefix.family] > 1}


def _of_seed(prefix: Prefix, seed: int) -> Prefix:
    return replace(prefix, family=f"{prefix.family}-{seed}") if prefix.family else prefix


def least_steps(todo: Sequence[PlannedRun], target: Target) -> Mapping[str, float]:
    """The share of its steps that each run must do itself where all that can be shared is, by run id; 1 where it is not named.

    Raises:
        EngineError: in one line, whatever the target raises.
    """
    found = sorted(prefixes(todo, target).items(), key=lambda item: item[1].point)
    done: dict[str, int] = {}
    left = {}
    for run_id, prefix in found:
        left[run_id] = 1 - done.get(prefix.family, 0) / max(prefix.steps, 1)
        done[prefix.family] = prefix.point
    return left
