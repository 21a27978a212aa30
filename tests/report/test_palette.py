"""The palette by computation: whom its colours can be told apart by, and that figures use them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ablate.analysis.effects import Array
from ablate.report.palette import CAUTION, HUES, INK, SOFT, WORDS, fix_styles
from tests.report.reading import Written

#: Linear sRGB as seen without long, middle or short cones: Machado, Oliveira and Fernandes 2009, severity 1.
VIEWS = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
#: Linear sRGB to XYZ, D65 (IEC 61966-2-1).
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def linear(colour: str) -> Array:
    """`#RRGGBB` as linear light, [3]."""
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def contrast(colour: str) -> float:
    """Of a colour on white, by WCAG 2."""
    return float(1.05 / (XYZ[1] @ linear(colour) + 0.05))


def lab(light: Array) -> Array:
    """CIELAB of linear light, [3]."""
    xyz = XYZ @ light / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(first: Array, second: Array) -> float:
    """The difference of two CIELAB colours (Sharma, Wu and Dalal 2005)."""
    mean_chroma = (np.hypot(*first[1:]) + np.hypot(*second[1:])) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    (l1, a1, b1), (l2, a2, b2) = ((c[0], c[1] * stretch, c[2]) for c in (first, second))
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    light, chroma, hue = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    ml, mc, mh = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    if c1 * c2 == 0:
        mh = h1 + h2
    weights = ((0.17, 1, -30), (-0.24, 2, 0), (-0.32, 3, 6), (0.2, 4, -63))
    t = 1 - sum(w * np.cos(np.radians(n * mh + shift)) for w, n, shift in weights)
    sl = 1 + 0.015 * (ml - 50) ** 2 / np.sqrt(20 + (ml - 50) ** 2)
    sc, sh = 1 + 0.045 * mc, 1 + 0.015 * mc * t
    blue = -2 * np.sqrt(mc**7 / (mc**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((mh - 275) / 25) ** 2))))
    parts = light / sl, chroma / sc, hue / sh
    return float(np.sqrt(sum(part**2 for part in parts) + blue * parts[1] * parts[2]))


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [  # Sharma, Wu and Dalal 2005, table 1: pairs 1, 7, 14, 17, 25 and 33
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ],
)
def test_the_difference_is_the_published_one(first: tuple[float, ...], second: tuple[float, ...], difference: float) -> None:
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(difference, abs=2e-4)


@pytest.mark.parametrize("view", VIEWS)
def test_any_two_hues_can_be_told_apart(view: str) -> None:
    seen = {hue: lab(np.clip(VIEWS[view] @ linear(hue), 0, 1)) for hue in HUES}
    near = {pair: ciede2000(seen[pair[0]], seen[pair[1]]) for pair in combinations(HUES, 2)}
    assert len(HUES) == 8 and min(near.values()) >= 15, min(near, key=lambda pair: near[pair])


def test_colours_stand_out_from_white() -> None:
    assert {colour: contrast(colour) >= 3 for colour in HUES} == dict.fromkeys(HUES, True)
    assert all(contrast(colour) >= 4.5 for colour in (INK, SOFT, CAUTION, *WORDS.values()))  # small type


def test_no_two_of_24_fixes_are_drawn_alike() -> None:
    styles = list(fix_styles(f"fix {i}" for i in range(24)).values())
    assert len({(style.colour, style.mark, style.dash) for style in styles}) == 24
    for first, second in combinations(styles, 2):  # in a grey print, or where hues repeat, the mark or the dash tells
        assert first.colour != second.colour or (first.mark, first.dash) != (second.mark, second.dash)


@pytest.mark.parametrize("figure", ["trajectory", "pairs", "interactions", "sweeps", "curve-train-region_loss", "probes"])
def test_figures_use_the_fixes_own_colours(full: Written, figure: str) -> None:
    svg = (full.out / "figures" / f"{figure}.svg").read_text(encoding="utf-8").upper()
    styles = fix_styles(full.found.plan.fixes)
    here = {name for name, style in styles.items() if style.colour in svg}
    swept = {"logit_scale", "memory_bank"}  # the figure of sweeps has these alone
    assert here == (swept if figure == "sweeps" else set(styles))
    assert not any(hue in svg for hue in HUES[len(styles) :])
