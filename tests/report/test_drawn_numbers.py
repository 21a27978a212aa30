"""What the evidence figures draw, against the verdict and plain computations."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.records import Records
from ablate.report.curves import Curves
from ablate.report.interactions_plot import corners, shown_pairs
from ablate.report.labels import folded
from ablate.report.pairs_plot import clearly, seed_pairs
from ablate.report.strokes import columns_of, spread
from ablate.report.text import true_minus
from ablate.tables import design_table
from tests.report.reading import Written


def test_paired_seeds_differ_by_the_effect(full: Written) -> None:
    drawn = seed_pairs(full.found)
    assert list(drawn) == full.found.verdict.ranking
    for name, values in drawn.items():
        assert values.shape == (6, 2)
        assert np.diff(values).mean() == pytest.approx(full.found.verdict.fixes[name].effect.effect)
    assert (
        clearly(drawn["memory_bank"], 1.0) == "6 of 6 seeds gain" and clearly(drawn["memory_bank"], -1.0) == "0 of 6 seeds gain"
    )


def test_the_corners_of_a_pair_give_its_interaction(full: Written) -> None:
    table = design_table(full.found.plan, full.found.records, full.found.plan.study.outcome)
    shown = shown_pairs(full.found)
    assert [pair.effect.p for pair in shown.values()] == sorted(pair.effect.p for pair in shown.values()) and len(shown) == 3
    for (a, b), pair in shown.items():
        found = corners(table.complete(), full.found.plan.layout, a, b)
        mean = {on: corner.mean for on, corner in found.items()}
        assert mean[True, True] - mean[False, True] - mean[True, False] + mean[False, False] == pytest.approx(pair.effect.effect)
        low, high = pair.effect.ci()  # a sum of four corners has twice the interval of one
        assert found[True, True].ci[1] - found[True, True].ci[0] == pytest.approx((high - low) / 2)


def test_an_event_is_where_the_metric_first_exceeds_zero(full: Written) -> None:
    plan, records = full.found.plan, Records(full.out)
    curves = Curves(plan, full.found.records, records)
    on, off = plan.arms[frozenset({"memory_bank"})], plan.arms[frozenset()]
    frame = records.curves(f"{on}-0")
    assert curves.start(on, "bank/ptr") == frame["step"][frame["bank/ptr"] > 0].min() == 51
    assert curves.start(off, "bank/ptr") is None
    assert full.says("bank starts, at forward 51")


def test_labels_move_as_little_as_keeps_them_apart() -> None:
    assert spread([0, 1, 2], 1, 0, 10) == [0, 1, 2]
    assert spread([4, 4, 9], 1, 0, 10) == [3.5, 4.5, 9]
    assert spread([0, 0, 0], 1, 0, 10) == [0, 1, 2] and spread([10, 10], 1, 0, 10) == [9, 10]


def test_labels_fold_behind_separators() -> None:
    assert folded("train/region_loss_over_chance (× chance)", 18, 3) == "train/region_loss_\nover_chance (×\nchance)"
    assert folded("eval/region_top1 (share)", 30) == "eval/region_top1 (share)"
    assert all(len(line) <= 12 for line in folded("x" * 40 + " (share)", 12, 2).split("\n"))


def test_panels_leave_few_places_empty() -> None:
    assert [columns_of(count, 4) for count in (1, 3, 4, 5, 6, 12)] == [1, 3, 4, 3, 3, 4]


def test_negative_numbers_have_a_true_minus() -> None:
    assert true_minus("-5.2 to -.5 over 6 seeds, A/A-pair-2") == "−5.2 to −.5 over 6 seeds, A/A-pair-2"
