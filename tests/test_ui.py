"""MLflow's page over a real store, as `ablate ui` opens it, in a real browser. Screenshots are kept in .screenshots/."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import expect

from ablate.tracking.colours import colour_of
from tests.builders import FIXES, raw, write_study
from tests.shell import ROOT, command, environment
from tests.stored import carry_out
from tests.watching import listening

#: Seconds that a page may take on a busy machine, in ms.
PATIENCE = 60_000
SHOTS = Path(os.environ.get("ABLATE_SCREENSHOTS", ROOT / ".screenshots"))
#: Two fixes, so four arms; a curve of 20 steps.
STUDY = raw(name="shown", fixes={name: FIXES[name] for name in ("good", "bad")}, design={"seeds": 3}, curves=["progress"])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a study that was run in it, and its store."""
    folder = tmp_path_factory.mktemp("home")
    write_study(folder, STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        carry_out(STUDY, folder / "reports/shown", f"sqlite:///{folder}/mlflow.db")
    return folder


def addresses(lines):
    """What each page shows → its address."""
    said = [line.strip() for line in lines]
    return dict(zip(said[::2], said[1::2], strict=True))


@pytest.fixture(scope="module")
def pages(home):
    """`ablate ui`, from the first address that it prints to Ctrl-C: what it shows → address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = subprocess.Popen(
        command("ui", "study.yaml", "--port", port),
        cwd=home,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        text=True,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        said = addresses(ui.stdout.readline() for _ in range(12))
        server = psutil.Process(ui.pid)
        assert {address for each in (server, *server.children(recursive=True)) for address in listening(each)} == {"127.0.0.1"}
        yield said
    finally:
        ui.send_signal(signal.SIGINT)
        assert ui.wait(60) == 0
    with socket.socket() as again:  # nothing that it started is left
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.fixture
def shown(page, pages):
    """Open one of the pages; MLflow's assistant stays closed."""
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.add_init_script(
        "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');"
        "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
    )

    def open_page(name):
        page.goto(pages[name])
        return page

    return open_page


def keep(page, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"mlflow-{name}.png"
    page.screenshot(path=path)
    print(f"screenshot: {path}")


def test_the_experiment_opens_among_trainings_and_lists_the_study_its_arms_and_its_trainings(shown):
    page = shown("shown")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()  # the other view's says Overview
    study = page.get_by_role("link", name="shown (study)")
    expect(study).to_be_visible()
    for arm in ("all off", "good", "bad", "all on"):
        expect(page.get_by_role("link", name=f"{arm} · mean of 3 seeds", exact=True)).to_be_visible()
    expect(page.get_by_text("good helps").first).to_be_visible()  # the experiment's description
    keep(page, "experiment")
    expect(page.get_by_text("17 matching runs")).to_be_visible()  # with the 12 trainings under the study's


def test_a_view_has_both_sides_of_a_fix_of_trainings_alone(shown):
    page = shown("good on, off")
    expect(page.get_by_text("Group by: fix.good")).to_be_visible()
    for side in ("on", "off"):
        expect(page.get_by_text(f"Group: {side}").first).to_be_visible()
    expect(page.get_by_role("link", name="good · seed 0", exact=True)).to_be_visible()
    expect(page.get_by_text("on (progress)")).to_be_visible()
    expect(page.get_by_text("mean of 3 seeds")).to_have_count(0)
    keep(page, "grouped")


def test_the_arms_curves_are_overlaid_in_their_own_colours(shown, pages):
    assert list(pages) == ["shown", "curves", "every curve", "arms", "good on, off", "bad on, off"]
    page = shown("curves")
    page.set_viewport_size({"width": 1280, "height": 1800})
    drawn = page.locator(".scatterlayer .trace .js-line")
    expect(drawn).to_have_count(16)  # 4 arms in 2 charts, each once smoothed and once as it is, though nothing is smoothed
    colours = {tuple(map(int, re.findall(r"\d+", line.evaluate("line => line.style.stroke"))[:3])) for line in drawn.all()}
    arms = [{"good": good, "bad": bad} for good in (False, True) for bad in (False, True)]
    assert colours == {tuple(bytes.fromhex(colour_of(arm)[1:])) for arm in arms}
    keep(page, "curves")
    page = shown("arms")
    expect(page.get_by_role("heading", name="Comparing 4 Runs from 1 Experiment")).to_be_visible()
    page = shown("every curve")
    expect(page.get_by_text("4 matching runs")).to_be_visible()
    expect(page.locator(".scatterlayer .trace").first).to_be_visible()
    keep(page, "charts")


def test_the_study_has_a_description_that_leads_to_its_report_and_its_verdict_as_a_table(shown):
    page = shown("shown")
    page.get_by_role("link", name="shown (study)").click()
    expect(page.get_by_role("cell", name="helps")).to_be_visible()
    keep(page, "study")
    page.get_by_text("Show more").click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="report.pdf").click()
    report = opened.value
    expect(report.locator("canvas").first).to_be_visible()  # the first page
    keep(report, "report")
    report.get_by_text("verdict_table.json").first.click()
    expect(report.get_by_text("negligible").or_(report.get_by_text("helps", exact=True)).first).to_be_visible()
    keep(report, "verdict")


def test_a_report_is_made_from_the_server_alone(pages, home, tmp_path):
    server = "http://" + urlsplit(pages["shown"]).netloc
    back = subprocess.run(
        command("report", home / "study.yaml", "--from-mlflow", "--tracking-uri", server, "--out", "back"),
        cwd=tmp_path, env=environment(), text=True, capture_output=True,
    )  # fmt: skip
    assert back.returncode == 0, back.stderr
    assert "12 runs fetched" in back.stderr
    for name in ("verdict.json", "report.pdf", "report.html", "runs.csv"):
        assert (tmp_path / "back" / name).read_bytes() == (home / "reports/shown" / name).read_bytes(), name
    assert not (tmp_path / "mlflow.db").exists()
    only = subprocess.run(
        command("ui", "--tracking-uri", server), cwd=tmp_path, env=environment(), text=True, capture_output=True
    )
    assert addresses(only.stdout.splitlines()) == pages
