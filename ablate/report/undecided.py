"""What a study does not decide, a line each, and what would decide it."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.analysis.sweeps import Best, listed
from ablate.analysis.verdict import FixVerdict
from ablate.assess import Assessment
from ablate.report.text import interval, number, plural, point
from ablate.tables import design_table


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
            yield f"Whether {name} matters, now {point(fix.effect)} {interval(fix.effect)}: {_would(found, fix)}."
        elif fix.word != "negligible" and min(map(abs, fix.effect.ci())) < minimum:
            seen = f"{point(fix.effect)} {interval(fix.effect)}"
            yield f"Whether {name}'s effect of {seen} reaches the {minimum:g} that matters."


def _would(found: Assessment, fix: FixVerdict) -> str:
    if fix.apart:
        return "it depends on the other fixes; more seeds would not tell, all their combinations would"
    if not fix.seeds_needed:
        return "no number of seeds can be named"
    size = max(abs(fix.effect.effect), found.plan.study.outcome.minimum_effect)
    shown = f"would show an effect of {number(size, 2)}"
    more = fix.seeds_needed - len(design_table(found.plan, found.records, found.plan.study.outcome).complete())
    if more <= 0:
        return f"as many seeds {shown} in 80 % of studies"
    return f"about {fix.seeds_needed} paired seeds, {more} more, {shown}"


def _growing(found: Assessment) -> Iterator[str]:
    for which in ("growing", "shrinking"):
        names = [name for name, course in found.holding.courses.items() if course.trend == which]
        if names:
            yield f"Where the effect of {listed(names)} ends: still {which} when training ended; a longer training would tell."


def _contexts(found: Assessment) -> Iterator[str]:
    for context, verdict in found.holding.contexts.items():
        names = [name for name, fix in verdict.fixes.items() if fix.word == "inconclusive"]
        if names:
            yield f"What {listed(names)} {'does' if len(names) == 1 else 'do'} in {context}."


def _sweeps(found: Assessment) -> Iterator[str]:
    for name, knob in found.knobs.items():
        best, what = knob.best, f"The best {name}" + (f" ({knob.param})" if knob.param != name else "")
        if best is None:
            yield f"{what}: {knob.sentence}."
        elif best.flat:
            yield f"{what}: any of the {best.values} values tried may be it."
        elif best.rivals or best.edge:
            yield f"{what}: {_rivals(best)}."


def _rivals(best: Best) -> str:
    values = [f"{value:g}" for value in sorted((best.value, *best.rivals))]
    said = f"{listed(values)} can't be told apart" if best.rivals else f"{best.value:g} so far"
    return said + ("; beyond the last value tried may lie a better one" if best.edge else "")


def _claims(found: Assessment) -> Iterator[str]:
    untested = [claim for claim in found.claims if claim.verdict == "untestable"]
    for claim in untested:
        yield f"The claim “{claim.name}”: {claim.detail}."
    undone = found.plan.planned - len(found.records)
    if undone and found.stage.ended:
        yield f"Whatever rests on {plural(undone, 'run')} that {'is' if undone == 1 else 'are'} missing."
