"""The table: every figure beside the name of what it was measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.onegpu.floor import Floor
from benchmarks.onegpu.measure import BOUNDS, Measured
from benchmarks.onegpu.rows import EAGER, FOLDED
from benchmarks.onegpu.setting import STEPS_A_RUN, TITLES

HEAD = (
    "| on | what | loss off, fp32 | loss off, bf16 | "
    "a run's steps, times an hour | × eager in turn | × folded in turn | of the floor |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)
OPEN, DIFFERS = "open", "**differs**"
#: What the columns mean.
LEGEND = (
    f"*a run's steps*: the {STEPS_A_RUN} training steps of one run; its start, evaluations and probes are not in it. "
    "*loss off*: the largest relative difference of a loss from eager mode, forward by forward. "
    f"{DIFFERS}: it is above {BOUNDS['fp32']:g} in fp32 or {BOUNDS['bf16']:g} in bf16, and the row is not timed."
)


def line(on: str, scale: str, name: str, found: Measured | None, every: Mapping[str, Measured], floor: Floor | None) -> str:
    """A row. Its ratios are to one warm process of the same call that trains one run after another.

    Args:
        found: None where nothing could be measured.
        every: what was measured of this scale, by row.
    """
    cells = [OPEN] * 6 if found is None else [found.why, *[""] * 5] if found.why else list(_figures(found, every, floor))
    return f"| {' | '.join([on, f'{TITLES[scale]}: {name}', *cells])} |"


def _figures(found: Measured, every: Mapping[str, Measured], floor: Floor | None) -> Iterator[str]:
    for precision in ("fp32", "bf16"):
        yield f"{found.off[precision]:.1e}" if precision in found.off else "–"
    if found.differs:
        yield from [DIFFERS, *["–"] * 3]
        return
    runs = found.runs or 0.0
    yield f"{runs:,.0f}"
    for base in (EAGER, FOLDED):
        other = every[base].runs if base in every else None
        yield f"{runs / other:.2f}" if other else "–"
    yield f"{runs * STEPS_A_RUN * floor.seconds / 3600:.1%}" if floor else "–"


def floor_line(on: str, scale: str, floor: Floor) -> str:
    """What the last column is a share of."""
    slower = "arithmetic" if floor.flops / floor.rate > floor.traffic / floor.bandwidth else "traffic"
    return (
        f"{TITLES[scale]} on {on}: a step takes {floor.flops / 1e12:.3g} TFLOP and moves {floor.traffic / 1e9:.3g} GB. "
        f"At {floor.rate / 1e12:.3g} TFLOP/s and {floor.bandwidth / 1e9:.3g} GB/s, measured in the same call, that is at least "
        f"{1e3 * floor.seconds:.3g} ms ({slower})."
    )
