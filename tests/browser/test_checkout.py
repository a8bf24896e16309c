"""The countdown: by the server's time, with more time when it is asked for, and nothing typed is lost when it ends."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from shop.checkout.models import Checkout
from tests.browser.conftest import Open, Visitor
from tests.web.helpers import sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTEN = """
window.said = [];
new MutationObserver(() => {
  const text = document.getElementById("live").textContent.trim();
  if (text) window.said.push(text);
}).observe(document.getElementById("live"), {childList: true, characterData: true, subtree: true});
"""


def started(visit: Open, **window: object) -> tuple[Visitor, Page]:
    sell("MUG", "Enamel mug", price=1_400)
    visitor = visit(**window)
    page = visitor.page
    page.clock.install()
    visitor.add("/p/enamel-mug/")
    visitor.open("/cart/").get_by_role("button", name="Check out").locator("visible=true").first.click()
    page.get_by_role("heading", name="Delivery").wait_for()
    return visitor, page


def seconds(page: Page) -> int:
    minutes, rest = page.locator("#left").inner_text().split(":")
    return int(minutes) * 60 + int(rest)


def test_the_countdown_warns_once_renews_and_says_little(visit: Open) -> None:
    visitor, page = started(visit)
    page.evaluate(LISTEN)
    assert 550 <= seconds(page) <= 600
    page.clock.fast_forward("05:01")
    page.clock.fast_forward("03:01")
    page.clock.run_for(1_000)
    assert 70 <= seconds(page) <= 120
    page.clock.fast_forward("01:00")
    page.clock.run_for(1_000)
    dialog = page.get_by_role("dialog", name="Do you need more time?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Add 10 minutes")).to_be_focused()
    visitor.check("dialog")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#live")).to_have_text("10 minutes added.")
    assert seconds(page) > 550
    said = page.evaluate("window.said")
    assert said == [
        "5 minutes left on your reserved items.",
        "2 minutes left on your reserved items.",
        "10 minutes added.",
    ]


def test_what_is_half_typed_survives_more_time_and_the_end(visit: Open) -> None:
    _visitor, page = started(visit)
    page.locator("#name").fill("Ada By")
    page.get_by_role("button", name="Add 10 minutes").click()
    expect(page.locator("#live")).to_have_text("10 minutes added.")
    assert page.locator("#name").input_value() == "Ada By"
    page.locator("#line1").focus()
    page.clock.fast_forward("21:00")
    page.clock.run_for(1_000)
    expect(page.locator("#expired")).to_be_visible()
    expect(page.locator("#timer")).to_be_hidden()
    page.get_by_role("button", name="Reserve again").click()
    page.get_by_text("Your items are reserved again.").wait_for()
    assert page.locator("#name").input_value() == "Ada By"


def test_without_scripts_more_time_keeps_what_is_half_typed(visit: Open) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    visitor = visit(scripts=False)
    page = visitor.page
    visitor.add("/p/enamel-mug/")
    page.get_by_role("button", name="Check out").locator("visible=true").first.click()
    page.locator("#name").fill("Ada By")
    page.get_by_role("button", name="Add 10 minutes").click()
    page.get_by_text("10 minutes added.").wait_for()
    assert page.locator("#name").input_value() == "Ada By"
    assert Checkout.objects.count() == 1


def test_the_ticking_can_be_hidden_and_stays_hidden(visit: Open) -> None:
    _visitor, page = started(visit)
    page.get_by_role("button", name="Hide").click()
    expect(page.locator("#ticking")).to_be_hidden()
    page.reload()
    expect(page.locator("#ticking")).to_be_hidden()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#ticking")).to_be_visible()


def test_an_error_summary_takes_the_focus_and_leads_to_the_field(visit: Open) -> None:
    _visitor, page = started(visit)
    page.get_by_role("button", name="Continue to payment").last.click()
    expect(page.locator("#errors")).to_be_focused()
    assert page.title().startswith("Error: ")
    page.get_by_role("link", name="postcode").click()
    expect(page.locator("#postcode")).to_be_focused()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('#details input:not([type=hidden],[type=checkbox]), #details select')]"
        ".filter((one) => !one.autocomplete).map((one) => one.id)"
    )
    assert unnamed == []
