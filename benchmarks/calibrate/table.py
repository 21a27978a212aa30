"""What was measured, as Markdown: the required lines with PASS or FAIL, then the rules by family and by seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.calibrate.measures import KINDS, Measured, Rate
from benchmarks.calibrate.noise import DIVERGED
from benchmarks.calibrate.plan import BOUNDARY_SEEDS, EVALUATORS, LOOK_MINIMUMS, MINIMUMS, MIXES, SEEDS, Results
from benchmarks.calibrate.rules import RULES

OURS, PAIRS, POOLED = "ablate", "all pairs, Holm", "all pairs, pooled, Holm"
OPTUNA = tuple(f"Optuna, {name}" for name in EVALUATORS)


@dataclass(frozen=True)
class Check:
    """A required line: what, the bound in words, what was measured, whether it holds."""

    what: str
    required: str
    measured: str
    holds: bool

    @property
    def cells(self) -> tuple[str, ...]:
        return self.what, self.required, self.measured, "PASS" if self.holds else "**FAIL**"


def checks(r: Results) -> list[Check]:
    """The required lines."""
    return [*_errors(r), *_coverage(r), *_power(r), *_stopping(r), *_negligible(r), *_speed(r)]


def _errors(r: Results) -> list[Check]:
    fixed = {each.family: each.false for each in r.of(rule=OURS, scenario="null", seeds=5)}
    found = [_most("null studies with a fix called, 5 seeds, worst family", "≤ 5 % (+0.5)", fixed, 0.055)]
    for minimum in LOOK_MINIMUMS:
        looked = {each.family: each.false for each in r.looks if each.minimum == minimum}
        found.append(_most(f"… with looks at 4, 6, 9, 12 seeds, minimum effect {minimum:g}", "≤ 5 % (+0.5)", looked, 0.055))
    return found


def _most(what: str, required: str, rates: dict[str, Rate], bound: float) -> Check:
    worst = max(rates, key=lambda name: rates[name].value)
    return Check(what, required, f"{_told(rates[worst])} ({worst})", rates[worst].value <= bound)


def _least(what: str, required: str, rates: dict[str, Rate], low: float, high: float = 1.0) -> Check:
    lowest, highest = (pick(rates, key=lambda name: rates[name].value) for pick in (min, max))
    text = f"{rates[lowest]} ({lowest}) to {rates[highest]} % ({highest})"
    return Check(what, required, text, low <= rates[lowest].value and rates[highest].value <= high)


def _told(rate: Rate) -> str:
    return f"{rate} ± {100 * rate.error:.2f} %"


def _coverage(r: Results) -> list[Check]:
    """Over null and one effect, all numbers of seeds."""
    cells = [each for each in r.of(rule=OURS) if each.scenario in ("null", "one")]
    equal = {
        f"{kind}, {each.scenario}, {each.seeds} seeds": each.covered[kind]
        for each in cells
        if each.family == "equal"
        for kind in KINDS
    }
    other = {
        f"{kind}, {each.family}, {each.scenario}, {each.seeds} seeds": each.covered[kind]
        for each in cells
        if each.family != "equal"
        for kind in KINDS
    }
    five = [{name: rate for name, rate in rates.items() if name.endswith(", 5 seeds")} for rates in (equal, other)]
    return [
        _least("coverage of 95 % intervals, equal noise, 5 seeds", "94 to 96 %", five[0], 0.94, 0.96),
        _least("… other families, 5 seeds", "≥ 92 %", five[1], 0.92),
        _least("… equal noise, 3 to 12 seeds, ± 0.5 % simulation error", "93.5 to 96.5 %", equal, 0.935, 0.965),
        _least("… other families, 3 to 12 seeds", "≥ 92 %", other, 0.92),
    ]


def _power(r: Results) -> list[Check]:
    at = {seeds: _found(r.one(rule=OURS, family="equal", scenario="one", seeds=seeds)) for seeds in (5, 8)}
    wrong = {f"{each.family}, {each.seeds} seeds": each.wrong for each in r.of(rule=OURS) if each.scenario == "one"}
    return [
        Check("one effect of one run-noise sd found, 5 seeds", "≥ 70 %", _told(at[5]), at[5].value >= 0.7),
        Check("… 8 seeds", "≥ 92 %", _told(at[8]), at[8].value >= 0.92),
        *(_ratio(r, at[5], rule) for rule in (PAIRS, POOLED)),
        _most("… with the wrong sign, worst family, 3 to 12 seeds", "< 0.1 %", wrong, 0.001),
    ]


def _ratio(r: Results, ours: Rate, rule: str) -> Check:
    """How much more often one effect is found at 5 seeds than by another rule."""
    theirs = _found(r.one(rule=rule, family="equal", scenario="one", seeds=5))
    ratio = ours.value / max(theirs.value, 1e-9)
    return Check(f"… against {rule}, 5 seeds", "≥ 3 times", f"{ratio:.1f} times ({_told(theirs)})", ratio >= 3)


def _found(measured: Measured) -> Rate:
    assert measured.found is not None
    return measured.found


def _stopping(r: Results) -> list[Check]:
    found = []
    for index, each in enumerate(each for each in r.savings if each.family == "all"):
        text = f"{100 * each.saved:.0f} % ({each.seeds:.2f} seeds against {each.same:.2f}; {each.right} % of the words right)"
        what = f"runs saved by stopping, effects of {each.size:g} sd, minimum {each.minimum:g}"
        required = "≥ 25 %" if index == 0 else "reported"
        found.append(Check(what, required, text, index > 0 or each.saved >= 0.25))
    return found


def _negligible(r: Results) -> list[Check]:
    found = []
    for title, looks in (("5 to 12 seeds", False), ("with looks", True)):
        rates = {
            f"{each.family}, minimum {each.minimum:g}" + (f", {each.seeds} seeds" if each.seeds else ""): each.wrong
            for each in r.boundaries
            if (each.seeds == 0) is looks
        }
        found.append(_most(f"negligible is wrong at 1.0001 × the minimum, {title}, worst cell", "≤ 5 % (+0.5)", rates, 0.055))
    return found


def _speed(r: Results) -> list[Check]:
    each = r.speed
    total = 10_000 * each.seconds / each.analyses
    return [
        Check("10,000 analyses of 2³ × 6 on one core", "< 60 s", f"{total:.1f} s", total < 60),
        Check("one analysis", "< 10 ms", f"{each.median_ms:.2f} ms (99 % below {each.slow_ms:.2f} ms)", each.median_ms < 10),
    ]


def markdown(r: Results) -> str:
    """All tables."""
    parts = [
        _intro(r),
        _table(("what", "required", "measured", ""), (check.cells for check in checks(r))),
        "By family, at 5 seeds:",
        _table(("", *r.families), _by_family(r)),
        "By seeds, equal noise:",
        _table(("", *map(str, SEEDS)), _by_seeds(r)),
        "Other mixtures and what else the verdict says:",
        _table(("", *r.families), _more(r)),
        _stops(r),
    ]
    return "\n\n".join(parts) + "\n"


def _intro(r: Results) -> str:
    few, half, fewest = r.studies // 5, r.studies // 2, r.studies // 200
    return (
        f"`PYTHONPATH=. python benchmarks/calibration.py --studies {r.studies}`: 2³ arms, through the code that judges real "
        f"runs. {r.studies:,} simulated studies a cell for error rates at 5 seeds and with looks, power at 5 and 8, each mix of "
        f"stopping; {half:,} for negligible, {few:,} elsewhere, {fewest:,} for Optuna, whose fANOVA takes 0.1 s a study. "
        "Seeds share an effect of sd 1, which cancels. A run's noise has sd 1: where it differs 6-fold between arms that is the "
        f"root mean square over them, and where 5 % of the runs diverge (to {DIVERGED:g}) that is the noise of the others."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


Row = tuple[str, ...]


def _by_family(r: Results) -> list[Row]:
    rows = _rows(r, "null: any fix called, %", "null", lambda each: each.false, r.families, "family", seeds=5)
    rows += _rows(r, "one effect of 1 sd: found, %", "one", _found, r.families, "family", seeds=5)
    for kind in KINDS:
        cells = [str(r.one(rule=OURS, scenario="one", seeds=5, family=name).covered[kind]) for name in r.families]
        rows.append((f"coverage, {kind}, %", *cells))
    for rule in (rule for rule in OPTUNA if r.of(rule=rule)):
        top = [r.one(rule=rule, scenario="null", seeds=5, family=name).top for name in r.families]
        rows.append((f"{rule}: null, mean importance of the top fix", *(f"{each.value:.2f}" for each in top if each)))
    return rows


def _by_seeds(r: Results) -> list[Row]:
    rows = _rows(r, "null: any fix called, %", "null", lambda each: each.false, SEEDS, "seeds", family="equal")
    rows += _rows(r, "one effect of 1 sd: found, %", "one", _found, SEEDS, "seeds", family="equal")
    for kind in KINDS:
        rows.append(
            (
                f"coverage, {kind}, %",
                *(str(r.one(rule=OURS, scenario="one", seeds=n, family="equal").covered[kind]) for n in SEEDS),
            )
        )
    worst = [max(each.false.value for each in r.of(rule=OURS, scenario="null", seeds=n)) for n in SEEDS]
    rows.append(("ablate, worst family: null, any fix called, %", *(f"{100 * value:.1f}" for value in worst)))
    return rows


def _rows(
    r: Results, title: str, scenario: str, pick: Callable[[Measured], Rate], over: Sequence[object], along: str, **fixed: object
) -> list[Row]:
    """A row a rule that was tried on all of these."""
    rows = []
    for rule in (*RULES, *OPTUNA):
        cells = [r.of(rule=rule, scenario=scenario, **{along: each}, **fixed) for each in over]
        if all(cells):
            rows.append((f"{rule}: {title}", *(str(pick(cell)) for (cell,) in cells)))
    return rows


def _more(r: Results) -> list[Row]:
    rows: list[Row] = []
    for scenario, title in (("two", "two effects (+1, −1)"), ("interacting", "a helps only beside b (+1)")):
        for rule in (OURS, PAIRS):
            cells = [r.one(rule=rule, scenario=scenario, seeds=5, family=name) for name in r.families]
            rows.append((f"{rule}: {title}, 5 seeds: a found, %", *(str(_found(each)) for each in cells)))
            rows.append((f"{rule}: {title}, 5 seeds: c called, %", *(str(each.false) for each in cells)))
    for minimum in MINIMUMS:
        for seeds in (*BOUNDARY_SEEDS, 0):
            cells = [e for name in r.families for e in r.boundaries if (e.family, e.minimum, e.seeds) == (name, minimum, seeds)]
            when = f"{seeds} seeds" if seeds else "looks"
            rows.append(
                (f"negligible, minimum {minimum:g}, {when}: wrong / rightly said, %", *(f"{e.wrong} / {e.found}" for e in cells))
            )
    for size, minimum in MIXES:
        savings = [e for name in r.families for e in r.savings if (e.family, e.size) == (name, size)]
        title = f"stopping, effects of {size:g}, minimum {minimum:g}: seeds / fixed design as good, saved"
        rows.append((title, *(f"{e.seeds:.1f} / {e.same:.1f}, {100 * e.saved:.0f} %" for e in savings)))
    for minimum in LOOK_MINIMUMS:
        cells_of = [e for name in r.families for e in r.looks if (e.family, e.minimum) == (name, minimum)]
        rows.append((f"looks, null, minimum {minimum:g}: any fix called, %", *(str(e.false) for e in cells_of)))
        least = [min(e.covered.values(), key=lambda rate: rate.value) for e in cells_of]
        rows.append((f"looks, null, minimum {minimum:g}: least coverage of the four kinds at the stop, %", *map(str, least)))
    return rows


def _stops(r: Results) -> str:
    return "\n".join(
        f"- Stopping, effects of {each.size:g} sd and a minimum of {each.minimum:g}, {each.studies:,} studies over all "
        f"families and scenarios: {each.seeds:.2f} seeds on average; {_told(each.right)} of the fixes get their right word and "
        f"{_told(each.wrong)} a wrong one. The fixed design that gives as many their right word has {each.same:.2f} seeds: "
        f"{100 * each.saved:.0f} % saved. Main effects' intervals at the stop hold the truth in {100 * each.covered:.1f} %."
        for each in r.savings
        if each.family == "all"
    )
