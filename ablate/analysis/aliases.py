"""What a fraction's sums of interactions may be said to show: that one of them is there, never which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablate.analysis.verdict import Interaction


def unattributed(interactions: Mapping[str, Interaction]) -> tuple[str, ...]:
    """A warning for each group of aliased pairs whose sum is real, the largest first."""
    real = [(name, found) for name, found in interactions.items() if found.real and " = " in name]
    return tuple(
        f"fixes act on each other ({_signed(found)}), but this design can't tell which pair does: {name}; "
        "the effects of these fixes may depend on each other; resolution 5, or every arm, would tell"
        for name, found in sorted(real, key=lambda item: -abs(item[1].effect.effect))
    )


def _signed(found: Interaction) -> str:
    return f"{found.effect.effect:+.3g}".replace("-", "−")
