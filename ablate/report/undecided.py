"""What a study does not decide, a line each, and what would decide it."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.analysis.sweeps import listed
from ablate.analysis.verdict import FixVerdict
from ablate.assess import Assessment
from ablate.report.text import interval, plural, point


def undecided(found: Assessment) -> tuple[str, ...]:
    """The lines; none where everything that was asked is decided."""
    if not found.verdict.fixes:
        return ("Every fix: there is no verdict.", *_claims(found))
    return (*_fixes(found), *_growing(found), *_contexts(found), *_sweeps(found), *_claims(found))


def _fixes(found: Assessment) -> Iterator[str]:
    verdict, minimum = found.verdict, found.plan.study.outcome.minimum_effect
    for name in verdict.ranking:
        fix = verdict.fixes[name]
        if fix.word == "inconclusive":
            yield f"Whether {name} helps, now {point(fix.effect)} {interval(fix.effect)}: {_would(found, fix)}."
        elif fix.word != "negligible" and min(map(abs, fix.effect.ci())) < minimum:
            seen = f"{point(fix.effect)} {interval(fix.effect)}"
            yield f"Whether {name}'s effect of {seen} is as large as the {minimum:g} worth having."


def _would(found: Assessment, fix: FixVerdict) -> str:
    if fix.apart:
        return "it depends on the other fixes; more seeds would not tell, all their combinations would"
    if not fix.seeds_needed:
        return "no number of seeds can be named"
    return f"it would take about {fix.seeds_needed} paired seeds, {fix.seeds_needed - found.plan.seeds} more"


def _growing(found: Assessment) -> Iterator[str]:
    for which in ("growing", "shrinking"):
        names = [name for name, course in found.holding.courses.items() if course.trend == which]
        if names:
            was = f"it was still {which} when training ended"
            yield f"How large the effect of {listed(names)} gets: {was}; a longer training would tell."


def _contexts(found: Assessment) -> Iterator[str]:
    for context, verdict in found.holding.contexts.items():
        names = [name for name, fix in verdict.fixes.items() if fix.word == "inconclusive"]
        if names:
            yield f"What {listed(names)} {'does' if len(names) == 1 else 'do'} in {context}."


def _sweeps(found: Assessment) -> Iterator[str]:
    for knob in found.knobs.values():
        best = knob.best
        if best is None:
            yield f"The best {knob.param}: {knob.sentence}."
        elif best.flat:
            yield f"The best {knob.param}: any of the {best.values} values tried may be it."
        elif best.rivals or best.edge:
            yield f"The best {knob.param}: {_rivals(best.value, best.rivals, best.edge)}."


def _rivals(value: float, rivals: tuple[float, ...], edge: bool) -> str:
    said = f"{listed([f'{each:g}' for each in sorted((value, *rivals))])} can't be told apart" if rivals else f"{value:g} so far"
    return said + ("; beyond the last value tried there may be a better one" if edge else "")


def _claims(found: Assessment) -> Iterator[str]:
    untested = [claim for claim in found.claims if claim.verdict == "untestable"]
    for claim in untested:
        yield f"The claim “{claim.name}”: {claim.detail}."
    undone = found.plan.planned - len(found.records)
    if undone and found.stage.ended:
        yield f"Whatever rests on {plural(undone, 'run')} that {'is' if undone == 1 else 'are'} missing."
