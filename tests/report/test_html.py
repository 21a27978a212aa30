"""report.html in a browser: one file that asks for nothing, says what the PDF says, and whose curves answer the pointer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ablate.records import Records
from ablate.report import write_report
from ablate.report.html.lines import GREYS, arm_lines
from ablate.report.html.svg import inline_svg
from ablate.report.palette import fix_styles
from tests.browser import Watched, watch
from tests.report.reading import Written
from tests.report.synthetic import THREE_FIXES, add_results, planned

#: Where an arm's point lies in the window, pixels, and its values.
POINT = """([place, arm]) => {
  const plot = ablate.plots.get(place), view = Bokeh.index.find_one(plot.figure), band = plot.drawn.bands[arm];
  const box = view.canvas_view.el.getBoundingClientRect(), at = Math.floor(band.mean.length / 2);
  const x = box.x + view.frame.x_scale.compute(plot.drawn.grids[band.grid][at]);
  const y = box.y + view.frame.y_scale.compute(band.mean[at]);
  return { x, y, mean: band.mean[at], low: band.low[at], high: band.high[at] };
}"""
VISIBLE = "(arm) => [...ablate.plots.values()].flatMap((plot) => (plot.arms.get(arm) ?? []).map((each) => each.visible))"
#: What each plot shows.
PICTURES = """() => [...ablate.plots.values()].map(
  (plot) => Bokeh.index.find_one(plot.figure).canvas_view.primary.canvas.toDataURL()
)"""
Opened = tuple[Page, Watched]


@pytest.fixture(scope="module")
def opened(full: Written, browser: Browser) -> Iterator[Opened]:
    """The full report with all plots drawn, and what it did since it was opened."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    watched = watch(page)
    page.goto((full.out / "report.html").as_uri())
    page.locator("#arms").scroll_into_view_if_needed()
    page.wait_for_function("ablate.plots.size > 1")  # those in sight; now the others
    page.evaluate("ablate.draw()")
    page.wait_for_timeout(600)
    yield page, watched
    context.close()


def _pictures(page: Page) -> list[str]:
    page.mouse.move(0, 0)
    page.wait_for_timeout(250)
    pictures: list[str] = page.evaluate(PICTURES)
    return pictures


def test_it_is_quiet_and_asks_for_nothing_but_itself(full: Written, opened: Opened) -> None:
    _, watched = opened
    assert watched.said == [] and watched.hosts() == []
    assert (full.out / "report.html").stat().st_size < 2_500_000


def test_it_says_what_was_found(full: Written, opened: Opened) -> None:
    page, _ = opened
    text = page.locator("main").text_content() or ""
    assert page.locator(".headline").inner_text() == full.found.verdict.headline
    assert set(page.locator(".card h3").all_inner_texts()) == {f"{_mark(full, name)}{name}" for name in full.found.plan.fixes}
    assert all(run.id in text and f"{index:032x}" in text for index, run in enumerate(full.found.plan.runs))
    assert all(said in text for said in (*full.found.warnings, *(claim.name for claim in full.found.claims)))


def _mark(full: Written, name: str) -> str:
    return {"o": "●", "s": "■", "D": "◆"}[fix_styles(full.found.plan.fixes)[name].mark]


def test_it_shows_every_figure_and_leads_to_every_part(full: Written, opened: Opened) -> None:
    page, _ = opened
    assert page.locator("figure.drawn svg").count() == len(list((full.out / "figures").glob("*.svg")))
    ids = page.locator("[id]").evaluate_all("(all) => all.map((each) => each.id)")
    assert len(ids) == len(set(ids))
    targets = page.locator("nav a").evaluate_all("(links) => links.map((link) => link.hash.slice(1))")
    assert len(targets) > 8 and set(targets) <= set(ids)


def test_a_button_hides_an_arm_in_every_plot(opened: Opened) -> None:
    page, _ = opened
    button = page.locator("#arms [data-arm='1']")
    page.click("#arms [data-show='none']")
    blank = _pictures(page)
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "true" and all(page.evaluate(VISIBLE, 1))
    assert all(now != before for now, before in zip(_pictures(page), blank, strict=True))
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false" and not any(page.evaluate(VISIBLE, 1))
    assert _pictures(page) == blank and len(blank) == page.locator("[data-plot]").count() > 3


def test_pointing_at_a_line_shows_its_values(full: Written, opened: Opened) -> None:
    page, _ = opened
    page.click("#arms [data-show='end']")
    pressed = page.locator("#arms [aria-pressed='true']").all_inner_texts()
    assert [label.strip() for label in pressed] == ["all off", "all on"]
    page.locator("#plot-0").scroll_into_view_if_needed()
    page.wait_for_timeout(250)
    at = page.evaluate(POINT, [0, len(full.found.plan.arms) - 1])
    page.mouse.move(at["x"] - 30, at["y"] - 40)
    page.mouse.move(at["x"], at["y"], steps=3)
    tip = page.locator(".bk-tooltip-content").filter(has_text="all on")
    tip.wait_for()
    said = tip.inner_text().replace("−", "-")
    assert all(f"{at[part]:.4g}" in said for part in ("mean", "low", "high")), said


def test_the_runs_can_be_searched(full: Written, opened: Opened) -> None:
    page, _ = opened
    page.locator(".runs summary").click()
    page.fill("#runs-filter", "temperature completed")
    shown, runs = page.locator(".runs tbody tr:visible").count(), len(full.found.plan.runs)
    assert 0 < shown < runs and page.locator("#runs-count").inner_text() == f"{shown} of {runs}"


def test_on_a_phone_the_tooltip_stays_in_its_plot_and_boxes_show_that_they_scroll(full: Written, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto((full.out / "report.html").as_uri())
    page.locator("#plot-0").scroll_into_view_if_needed()
    page.wait_for_function("ablate.plots.has(0) && Bokeh.index.find_one(ablate.plots.get(0).figure)?.frame.x_scale")
    page.wait_for_timeout(400)
    at = page.evaluate(POINT, [0, len(full.found.plan.arms) - 1])
    page.mouse.move(at["x"] - 30, at["y"] - 40)
    page.mouse.move(at["x"], at["y"], steps=3)
    tip = page.locator(".bk-tooltip-content").filter(has_text="all on")
    tip.wait_for()
    assert re.search(r"forwards? \d", tip.inner_text())
    inner, plot = tip.bounding_box(), page.locator("#plot-0").bounding_box()
    assert inner and plot and plot["x"] <= inner["x"] and inner["x"] + inner["width"] <= plot["x"] + plot["width"]
    box = page.locator(".scroll[aria-label='Verdict']")
    assert "more" in (box.get_attribute("class") or "")
    box.evaluate("(box) => box.scrollTo(9999, 0)")
    page.wait_for_timeout(100)
    assert "more" not in (box.get_attribute("class") or "")
    context.close()


@pytest.mark.parametrize("width", [390, 1024])
def test_it_never_scrolls_sideways(opened: Opened, width: int) -> None:
    page, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.locator(".scroll").evaluate_all("(all) => all.filter((box) => box.scrollWidth > box.clientWidth + 1).length")
    assert bool(wide) == (width == 390)  # tables and figures scroll in boxes of their own, on a phone alone


def test_strings_of_a_study_are_never_markup(tmp_path: Path, page: Page) -> None:
    odd = "<script>document.title = 'taken'</script> & \"'"
    plan = planned({**THREE_FIXES, "claims": [{**THREE_FIXES["claims"][0], "name": odd}]}, sweeps={}, design={"seeds": 2})
    found = add_results(plan, tmp_path, {plan.runs[0].id: f"ValueError: {odd}"})
    write_report(found, Records(tmp_path), tmp_path)
    page.goto((tmp_path / "report.html").as_uri())
    assert page.title() == "three_fixes: ablation report"
    for section in ("claims", "failures"):
        assert odd in (page.locator(f"section[aria-labelledby={section}]").text_content() or "")


def test_without_a_curve_or_a_verdict_there_is_still_a_page(tmp_path: Path, page: Page) -> None:
    plan = planned()
    write_report(add_results(plan, tmp_path, skip=len(plan.runs)), Records(tmp_path), tmp_path)
    watched = watch(page)
    page.goto((tmp_path / "report.html").as_uri())
    assert watched.said == [] and page.locator("[data-plot]").count() == 0
    assert page.locator(".card").count() == 3 and "no verdict" in page.locator(".cards").inner_text()


def test_arms_look_as_in_the_figures() -> None:
    plan = planned(sweeps={})
    arms = arm_lines(plan)
    singles = {arm.label: (arm.colour, arm.dash) for arm in arms if arm.kind == "single"}
    assert singles == {f"{name} alone": (style.colour, style.dash) for name, style in fix_styles(plan.fixes).items()}
    assert all(arm.colour in GREYS for arm in arms if arm.kind == "other") and all(arm.shown for arm in arms)
    many = {f"fix_{at}": {"off": {f"p{at}": 0}, "on": {f"p{at}": 1}} for at in range(6)}
    shown = [arm for arm in arm_lines(planned(fixes=many, sweeps={}, claims=[])) if arm.shown]
    assert [arm.kind for arm in shown] == ["end", *["single"] * 6, "end"]


def test_two_figures_share_no_id() -> None:
    svg = (
        '<?xml version="1.0"?>\n<svg viewBox="0 0 9 9" width="9pt"><metadata>at http://x</metadata><defs><style>*{fill: red}'
        '</style><clipPath id="p1"><path id="m"/></clipPath></defs><g clip-path="url(#p1)"><use xlink:href="#m"/></g></svg>'
    )
    made = [inline_svg(svg, name, 'a "line" <up>') for name in ("one", "two")]
    ids = [set(re.findall(r'id="([^"]+)"', each)) for each in made]
    assert ids[0] and not ids[0] & ids[1] and set(re.findall(r"#([\w-]+)", made[0])) == ids[0]
    assert 'aria-label="a &quot;line&quot; &lt;up&gt;"' in made[0] and "*{" not in made[0] and "http://x" not in made[0]


def test_the_curves_are_the_means_of_the_records(full: Written) -> None:
    found = re.search(r'id="curve-data">(.*?)</script>', (full.out / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    outcome = next(plot for plot in json.loads(found[1])["plots"] if plot["metric"] == "eval/region_top1")
    records, seeds = Records(full.out), full.found.plan.seeds
    for band, cell in zip(outcome["bands"], full.found.plan.arm_ids(), strict=True):
        last = [records.curves(f"{cell}-{seed}")["eval/region_top1"].dropna().iloc[-1] for seed in range(seeds)]
        assert band["mean"][-1] == pytest.approx(sum(last) / seeds, rel=1e-4)
        assert band["low"][-1] < band["mean"][-1] < band["high"][-1] and band["seeds"] == seeds
