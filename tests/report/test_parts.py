"""Numbers as text, places of a fix on a sweep's axis, curves over seeds: each against a plain computation."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.effects import Effect
from ablate.records import Records
from ablate.report.curves import Curves
from ablate.report.sweeps_plot import logarithmic, marks
from ablate.report.text import clipped, duration, interval, number, p_value, point
from tests.report.reading import Written
from tests.report.synthetic import planned
from tests.shell import environment


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0412, "0.0412"),
        (0.0999999, "0.100"),
        (-1.5, "−1.50"),
        (12345, "12300"),
        (1.2e-7, "1.20e−07"),
        (0, "0"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_effect_shows_two_digits_of_its_half_width() -> None:
    effect = Effect(0.0412, 0.029 / 2.2281, 10)
    assert (point(effect), interval(effect)) == ("+0.041", "[+0.012, +0.070]")


def test_effect_without_noise() -> None:
    assert (point(Effect(0.0, 0.0, 3)), point(Effect(-2.0, 0.0, 3))) == ("0.00", "−2.0")


def test_other_texts() -> None:
    assert [p_value(p) for p in (0.0001, 0.0123, 0.5)] == ["< 0.001", "0.012", "0.50"]
    assert [duration(s) for s in (12, 600, 7200)] == ["12 s", "10 min", "2.0 h"]
    assert clipped("abcdefghij", 5) == "ab…ij" and clipped("abc", 5) == "abc"


def test_marks_find_the_knob_through_its_alias() -> None:
    places = marks(planned(), "temperature")
    assert places["logit_scale", "off"] == pytest.approx(math.exp(2.6592), rel=1e-3)
    assert places["logit_scale", "on"] == pytest.approx(100, rel=1e-3)
    assert {fix for fix, _ in places} == {"logit_scale"}


def test_marks_between_points_and_beyond_them() -> None:
    sweeps = {
        "t": {"param": "logit_scale_exp", "values": [20, 80, 500]},
        "w": {"param": "bank_warmup", "values": [0, 300]},
    }
    plan = planned(sweeps=sweeps)
    assert marks(plan, "t") == {("logit_scale", "on"): pytest.approx(100, rel=1e-3)}
    assert marks(plan, "w") == {("memory_bank", "on"): 50}


def test_log_axis_needs_positive_values_and_a_wide_range() -> None:
    assert logarithmic([5, 200]) and not logarithmic([0, 400]) and not logarithmic([50, 400])


def test_band_is_mean_and_interval_over_seeds(full: Written) -> None:
    plan, records = full.found.plan, Records(full.out)
    cell = plan.arm_ids()[0]
    band = Curves(plan, full.found.records, records).band(cell, "eval/region_top1")
    frames = [records.curves(f"{cell}-{seed}").dropna(subset="eval/region_top1") for seed in range(6)]
    values = np.array([frame["eval/region_top1"] for frame in frames])
    assert band is not None and band.seeds == 6
    np.testing.assert_allclose(band.steps, [0, 100, 200, 300, 400])
    np.testing.assert_allclose(band.mean, values.mean(axis=0))
    ends = stats.t.interval(0.95, len(values) - 1, values.mean(axis=0), stats.sem(values, axis=0))
    np.testing.assert_allclose([band.low, band.high], ends)


def test_dense_curves_are_means_over_windows(full: Written) -> None:
    plan, records = full.found.plan, Records(full.out)
    cell = plan.arm_ids()[3]
    curves = Curves(plan, full.found.records, records)
    band = curves.band(cell, "train/region_loss")
    values = np.array([records.curves(f"{cell}-{seed}")["train/region_loss"] for seed in range(6)])
    assert band is not None and curves.window("train/region_loss") == 10
    np.testing.assert_allclose(band.mean[2], values[:, 20:30].mean())
    np.testing.assert_allclose(band.mean[-1], values[:, 390:401].mean())  # the 401st step joins the last window
    assert len(band.steps) == 40


def test_late_effects_take_less_as_better(full: Written) -> None:
    effects = Curves(full.found.plan, full.found.records, Records(full.out)).late_effects("train/region_loss")
    assert max(effects, key=lambda name: abs(effects[name][0].effect)) == "memory_bank"
    assert effects["memory_bank"][0].effect < -1


def test_all_that_is_imported_ahead_is_there_and_nothing_that_trains() -> None:
    code = "import sys; from ablate.report import PARTS, TOOLS, import_ahead; import_ahead(); seen = set(sys.modules)"
    code += "; print({*PARTS, *TOOLS} - seen, {'torch', 'mlflow', 'optuna', 'ray'} & seen)"
    ran = subprocess.run([sys.executable, "-c", code], env=environment(), text=True, capture_output=True, check=True)
    assert ran.stdout == "set() set()\n"
