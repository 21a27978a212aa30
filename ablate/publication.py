"""What a study shows of itself on a tracking page: the verdict as a table, and each arm as one line with its interval.

Plain data: the tracker knows where it goes, and nothing of how it was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ablate.analysis.effects import Effect, mean_effect
from ablate.design import Plan, run_id
from ablate.kept import beside
from ablate.records import Records
from ablate.tables import value_of

if TYPE_CHECKING:
    from ablate.assess import Assessment
    from ablate.report.curves import Band, Curves

#: Columns of the verdict's table.
COLUMNS = ("fix", "verdict", "effect", "low", "high", "p adjusted", "alone", "removed", "share", "seeds needed")
#: What a study leaves that people open, where it is there.
FILES = ("report.pdf", "report.html", "verdict.json", "runs.csv")


@dataclass(frozen=True)
class ArmLines:
    """One arm over its seeds.

    Attributes:
        cell, label, fixes, params: the arm's.
        seeds: how many of its runs have an outcome.
        outcome: `mean`, `low` and `high` of the outcome over them, in its own unit and direction: a 95 % interval by Student's t.
        curves: of each metric that was logged as training goes on, its mean and interval.
        started, ended: of its first and its last run, in seconds since the epoch.
    """

    cell: str
    label: str
    fixes: Mapping[str, bool]
    params: Mapping[str, Any]
    seeds: int
    outcome: Mapping[str, float]
    curves: Mapping[str, Band]
    started: float
    ended: float

    @property
    def name(self) -> str:
        """`logit_scale+memory_bank · mean of 6 seeds`, as a training is `logit_scale+memory_bank · seed 3`."""
        return f"{self.label} · mean of {self.seeds} seed{'' if self.seeds == 1 else 's'}"


@dataclass(frozen=True)
class Publication:
    """What is shown of a study once it was analysed.

    Attributes:
        headline, warnings: as the report has them.
        outcome: `eval/region_top1, more is better`.
        place: where a study that may stop early stands; empty for one of fixed size.
        metrics: each fix's effect.
        table: the verdict's rows, under `COLUMNS`.
        arms: the arms of the design.
        comparable, incomparable: the outcome and the curves that can be compared across arms, probes aside; those that can't.
        files: what people open, all from the study's folder.
        figures: the folder of the figures, where there are any.
        kept: what `report --from-mlflow` needs beside the runs, by its path in the study's folder.
    """

    headline: str
    outcome: str = ""
    place: str = ""
    warnings: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    table: tuple[tuple[Any, ...], ...] = ()
    arms: tuple[ArmLines, ...] = ()
    comparable: tuple[str, ...] = ()
    incomparable: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    figures: Path | None = None
    kept: Mapping[str, Path] = field(default_factory=dict)


def publication(found: Assessment, records: Records) -> Publication:
    """Gather what is shown of a study whose report was written."""
    from ablate.report.content import all_warnings
    from ablate.report.curves import Curves

    outcome, figures = found.plan.study.outcome, records.out / "figures"
    curves = Curves(found.plan, found.records, records)
    comparable, incomparable = _by_comparability(found.plan)
    return Publication(
        headline=found.verdict.headline,
        outcome=f"{outcome.metric}, {'more' if outcome.goal == 'maximize' else 'less'} is better",
        place=found.stage.place,
        warnings=all_warnings(found, curves),
        metrics=found.headline_metrics(),
        table=verdict_rows(found),
        arms=_lines(found, curves),
        comparable=comparable,
        incomparable=incomparable,
        files=tuple(path for name in FILES if (path := records.out / name).exists()),
        figures=figures if figures.is_dir() else None,
        kept=beside(records.out),
    )


def verdict_rows(found: Assessment) -> tuple[tuple[Any, ...], ...]:
    """A row a fix, in the verdict's order from most to least helpful; empty where the verdict was withheld."""
    fixes = found.verdict.fixes
    return tuple(
        (
            name,
            fix.word,
            *map(_round, (fix.effect.effect, *fix.effect.ci(), fix.p_adjusted)),
            *map(_part, (fix.alone, fix.removed, fix.share)),
            fix.seeds_needed,
        )
        for name, fix in ((name, fixes[name]) for name in found.verdict.ranking)
    )


def _part(effect: Effect | None) -> float | None:
    return None if effect is None else _round(effect.effect)


def _round(value: float) -> float:
    """To four significant digits: a page that people read."""
    return float(f"{value:.4g}")


def arm_lines(found: Assessment, records: Records) -> tuple[ArmLines, ...]:
    """Each arm of the design that has runs."""
    from ablate.report.curves import Curves

    return _lines(found, Curves(found.plan, found.records, records))


def _lines(found: Assessment, curves: Curves) -> tuple[ArmLines, ...]:
    lines = (_arm(found, curves, cell) for cell in found.plan.arm_ids())
    return tuple(each for each in lines if each is not None)


def _arm(found: Assessment, curves: Curves, key: str) -> ArmLines | None:
    plan, cell = found.plan, found.plan.cells[key]
    kept = [found.records[each] for seed in range(plan.seeds) if (each := run_id(key, seed)) in found.records]
    if not kept:
        return None
    values = np.array([value_of(record, plan.study.outcome) for record in kept])
    values = values[np.isfinite(values)]
    bands = {name: band for name in step_metrics(plan) if (band := curves.band(key, name)) is not None}
    return ArmLines(
        cell=key,
        label=cell.label,
        fixes=cell.fixes,
        params=cell.params,
        seeds=len(values),
        outcome=_interval(values),
        curves=bands,
        started=min(record.started for record in kept),
        ended=max(record.ended for record in kept),
    )


def step_metrics(plan: Plan) -> list[str]:
    """The study's curves, and the outcome where it is logged as training goes on."""
    return list(dict.fromkeys((*plan.study.curves, plan.study.outcome.metric)))


def _by_comparability(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The outcome and the curves that say how well an arm does, probes aside, and those that can't be compared across arms."""
    declared, names = plan.target.declaration.metrics, [plan.study.outcome.metric, *plan.study.curves]
    unlike = {name for name in names if name in declared and declared[name].incomparable}
    probes = {name for name in names[1:] if name in declared and declared[name].probe}
    return tuple(name for name in dict.fromkeys(names) if name not in unlike | probes), tuple(sorted(unlike))


def _interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Mean and 95 % interval by Student's t; the mean alone where there is one seed, nothing where there is none."""
    if not len(values):
        return {}
    mean = float(values.mean())
    if len(values) == 1:
        return {"mean": mean}
    low, high = mean_effect(values).ci()
    return {"mean": mean, "low": low, "high": high}
