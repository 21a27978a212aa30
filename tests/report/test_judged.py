"""How a study was judged, in words: they promise no more than the figures do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.assess import assess
from ablate.records import Records
from ablate.report.judged import judged
from tests.builders import plan


@pytest.mark.parametrize(("minimum", "least"), [(0.0, ""), (0.5, ", or as the smallest worth having where that is larger")])
def test_the_seeds_named_for_an_inconclusive_fix_promise_to_show_an_effect_of_one_size(
    tmp_path: Path, minimum: float, least: str
) -> None:
    found = assess(plan(outcome={"metric": "score", "minimum_effect": minimum}), Records(tmp_path))
    told = " ".join(judged(found))
    assert f"would show an effect as large as the one seen{least}, in 80 % of studies" in told
    assert "would tell" not in told
