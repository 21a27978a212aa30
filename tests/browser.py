"""Debian's Chromium, driven headless: the pages that ablate writes and serves, as a reader sees them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@dataclass(frozen=True)
class Watched:
    """What a page did so far.

    Attributes:
        said: warnings and errors of its console, and exceptions that nothing caught.
        asked: the URLs that it requested.
    """

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def hosts(self) -> list[str]:
        """The requests that left the page's own file."""
        return [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))]


def watch(page: Page) -> Watched:
    """Note from now on what a page says and asks for; call it before `page.goto`."""
    watched = Watched()
    page.on("console", lambda message: watched.said.append(message.text) if message.type in ("warning", "error") else None)
    page.on("pageerror", lambda error: watched.said.append(str(error)))
    page.on("request", lambda request: watched.asked.append(request.url))
    return watched


# One a module and no longer: the driver keeps an event loop in the tests' thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of its own for a module's tests."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no `chromium` on the PATH: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1280 × 900, in a profile of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    yield context.new_page()
    context.close()
