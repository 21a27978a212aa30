"""The colour of a run in MLflow's charts: a fix alone has its own, as in the report; several together have what these mix to."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.report.palette import fix_styles

#: The tag that MLflow's charts take a run's colour from.
TAG = "mlflow.runColor"
#: Without any fix, and with all of them.
NONE, ALL = "#8a8f98", "#1b1f24"


def colour_of(fixes: Mapping[str, bool]) -> str:
    """`#rrggbb` of an arm, by which of the study's fixes are on."""
    on = [fix for fix, is_on in fixes.items() if is_on]
    if not on:
        return NONE
    if len(on) == len(fixes) > 1:
        return ALL
    styles = fix_styles(list(fixes))
    parts = [[int(styles[fix].colour[at : at + 2], 16) for at in (1, 3, 5)] for fix in on]
    mixed = [round(sum(channel) / len(on)) for channel in zip(*parts, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
