"""Chromium against a real server: a browser that remembers what went wrong, and is checked when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.conftest import CHROMIUM, running_process
from tests.waiting import PATIENCE_SECONDS

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SWITCHES = [
    "--headless", "--no-sandbox", "--remote-debugging-port=0", "--hide-scrollbars", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-back-forward-cache",
    "--force-color-profile=srgb", "--password-store=basic", "--use-mock-keychain",
]  # fmt: skip
PATIENCE_MS = PATIENCE_SECONDS * 1_000
expect.set_options(timeout=PATIENCE_MS)
COLOR_RULES = ["color-contrast", "link-in-text-block"]
RUN_AXE = """
async (rules) => (await axe.run(document, {runOnly: rules, resultTypes: ["violations"]})).violations
"""
MOST_SHIFT = 0.02
"""How much of a page may jump by itself, as layout shift is scored (https://web.dev/articles/cls)."""
WATCH_SHIFTS = """
new PerformanceObserver((list) => {
  for (const shift of list.getEntries())
    if (!shift.hadRecentInput) window.shifted(location.pathname + " " + performance.timeOrigin, shift.value);
}).observe({type: "layout-shift", buffered: true});
"""


@dataclass(slots=True)
class Visitor:
    """A browser window on the shop.

    `troubles` are errors on the console, answers of 4xx that were wanted left out; `shifts` say how much of each page
    jumped without its visitor having done anything.
    """

    url: str
    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)
    shifts: dict[str, float] = field(default_factory=dict)

    def open(self, path: str) -> Page:
        """Open a page."""
        self.page.goto(self.url + path)
        return self.page

    def add(self, *paths: str) -> None:
        """Add one unit of what these product pages sell."""
        for path in paths:
            self.open(path)
            self.page.get_by_role("button", name="Add to cart").click()
            self.page.get_by_text("Cart:").first.wait_for()

    def check(self, state: str = "", *, rules: str = "all") -> None:
        """Let axe look at the page by all rules or, with `colors`, by those that a color scheme can break.

        Sees that the page does not scroll sideways, too.
        """
        if not self.page.evaluate("Boolean(window.axe)"):
            self.page.evaluate(Axe().axe_script)
        found = self.page.evaluate(RUN_AXE, COLOR_RULES if rules == "colors" else TAGS)
        faults = [f"{fault['id']}: {[node['html'][:160] for node in fault['nodes']]}" for fault in found]
        assert not faults, f"{state} {self.page.url}\n" + "\n".join(faults)
        self.check_room(state)

    def check_room(self, state: str = "") -> None:
        """See that the page does not scroll sideways."""
        wide, room = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, f"{state} {self.page.url} scrolls sideways: {wide} in {room}"


Open = Callable[..., Visitor]


def tap(button: Locator, times: int) -> None:
    """Tap a button faster than any machine can be too busy for: in one go of the page's own thread."""
    button.focus()
    button.evaluate("(button, times) => { for (let done = 0; done < times; done++) button.click(); }", times)


@pytest.fixture(scope="session")
def _chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Chromium for all tests of this worker; each has windows of its own, with their own cookies and cache."""
    profile = tmp_path_factory.mktemp("chromium")
    with running_process(
        [CHROMIUM, *SWITCHES, f"--user-data-dir={profile}", "about:blank"], grace_seconds=3
    ) as process:
        process.wait_for("DevTools listening on ws://")
        yield process.output().partition("DevTools listening on ")[2].split()[0]


@pytest.fixture
def chromium(_chromium_address: str, web_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Connect to the browser for one test.

    Playwright keeps an event loop in this thread while it runs, and Django refuses to touch a database beside one
    unless told otherwise. So it runs no longer than the test, and starts after the database was made. Beside a loop
    Django also keeps connections of its own, which nobody else would close.
    """
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as driver:
        browser = driver.chromium.connect_over_cdp(_chromium_address, timeout=PATIENCE_MS)
        yield browser
        connections.close_all()
        browser.close()


@pytest.fixture
def visit(chromium: Browser, web_server: str) -> Iterator[Open]:
    """Give `visit(width=…, scheme="dark", scripts=False)`, which opens a window of its own.

    `is_resized` is for one whose size or style the test changes. At the end no window may have an error on its
    console, reports of the security policy included, and no page may have jumped.
    """
    visitors: list[Visitor] = []

    def open_window(
        *, width: int = 1280, scheme: Any = "light", scripts: bool = True, is_resized: bool = False, **more: Any
    ) -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts, **more
        )
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(web_server, context, context.new_page())

        def hear(message: ConsoleMessage) -> None:
            # The browser itself writes a line for each answer of 4xx and 5xx; those that are bugs fail elsewhere.
            if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
                visitor.troubles.append(message.text)

        def note(_source: object, where: str, much: float) -> None:
            visitor.shifts[where] = visitor.shifts.get(where, 0) + much

        if scripts and not is_resized:
            context.expose_binding("shifted", note)
            context.add_init_script(WATCH_SHIFTS)
        visitor.page.on("console", hear)
        visitor.page.on("pageerror", lambda error: visitor.troubles.append(str(error)))
        visitors.append(visitor)
        return visitor

    yield open_window
    troubles = [trouble for visitor in visitors for trouble in visitor.troubles]
    for visitor in visitors:
        visitor.context.close()
    assert not troubles
    assert not [shift for visitor in visitors for shift in visitor.shifts.items() if shift[1] > MOST_SHIFT]
