"""Which idle worker takes which waiting task, so that runs with a common beginning meet in one worker: pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ablate.engines.base import Task


def choose(idle: Sequence[str], waiting: Sequence[Task], working: Sequence[Task]) -> tuple[int, int] | None:
    """The worker and its task, as indices; None where the idle ones do better to wait.

    A worker goes on with the family that it did last, else takes the first task of a family that no worker is in. Where none is
    left it takes the first task that it would have trained, all of it, before those in its family could have got to the family's
    end; the part done twice then costs nobody time.

    Args:
        idle: of each idle worker the family that it did last; empty for none.
        waiting: in the order in which they are to be begun.
        working: what the other workers do.
    """
    if not (idle and waiting):
        return None
    families = {task.prefix.family for task in waiting} if any(idle) else set()
    for worker, family in enumerate(idle):
        if family and family in families:
            return worker, next(i for i, task in enumerate(waiting) if task.prefix.family == family)
    taken = {task.prefix.family for task in working} - {""}
    free = _first(i for i, task in enumerate(waiting) if task.prefix.family not in taken)
    if free is None:
        worth = {family for family in taken if _ends_sooner(family, waiting, working)}
        free = _first(i for i, task in enumerate(waiting) if task.prefix.family in worth)
    return None if free is None else (0, free)


def _first(found: Iterable[int]) -> int | None:
    return next(iter(found), None)


def _ends_sooner(family: str, waiting: Sequence[Task], working: Sequence[Task]) -> bool:
    """Whether a further worker has trained a task of the family from its start before those that are in it are through with it:
    each has half a run left, on average, and then what waits, each task from the point of the one before."""
    inside = [task.prefix for task in working if task.prefix.family == family]
    ahead = [task.prefix for task in waiting if task.prefix.family == family]
    if not ahead:
        return False
    whole = ahead[0].steps
    begins = [max(prefix.point for prefix in inside), *(prefix.point for prefix in ahead)]
    left = sum(whole - point for point in begins[: len(ahead)]) / len(inside) + whole / 2
    return whole < left
