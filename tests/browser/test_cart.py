"""The cart page with its script: nothing is lost, nothing jumps, and everything is said once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Visitor, tap
from tests.web.helpers import sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTEN = """
window.said = [];
new MutationObserver(() => {
  const text = document.getElementById("live").textContent.trim();
  if (text) window.said.push(text);
}).observe(document.getElementById("live"), {childList: true, characterData: true, subtree: true});
"""


def filled(visit: Open, **window: object) -> Visitor:
    sell("MUG", "Enamel mug", price=1_400, on_hand=40)
    sell("TOWEL", "Linen towel", price=2_200)
    visitor = visit(**window)
    visitor.add("/p/enamel-mug/", "/p/linen-towel/")
    visitor.open("/cart/")
    return visitor


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent"))


def test_ten_fast_taps_are_at_most_two_requests_and_the_last_number_wins(visit: Open) -> None:
    page = filled(visit).page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.evaluate(LISTEN)
    tap(page.get_by_role("button", name="One Enamel mug more"), times=10)
    expect(page.locator("#summary")).to_contain_text("£176.00")
    assert page.locator("#quantity-MUG").input_value() == "11"
    assert len(sent) <= 2
    assert focused(page) == "plus-MUG"
    assert page.evaluate("window.said") == ["Enamel mug: 11. Total £176.00."]
    page.reload()
    assert page.locator("#quantity-MUG").input_value() == "11"


def test_enter_in_the_field_saves_what_was_typed(visit: Open) -> None:
    page = filled(visit).page
    page.locator("#quantity-MUG").fill("3")
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_contain_text("£64.00")
    expect(page.locator("#badge")).to_contain_text("4")


def test_two_rows_of_one_tab_are_not_called_another_tab(visit: Open) -> None:
    page = filled(visit).page
    page.get_by_role("button", name="One Enamel mug more").click()
    expect(page.locator("#summary")).to_contain_text("£50.00")
    page.get_by_role("button", name="One Linen towel more").click()
    expect(page.locator("#summary")).to_contain_text("£72.00")
    expect(page.get_by_text("changed in another tab")).to_have_count(0)


def test_typing_alone_saves_too(visit: Open) -> None:
    page = filled(visit).page
    page.locator("#quantity-MUG").fill("5")
    expect(page.locator("#summary")).to_contain_text("£92.00")
    assert focused(page) == "quantity-MUG"


def test_a_removed_row_gives_its_place_and_the_focus_to_undo(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.evaluate(LISTEN)
    page.get_by_role("button", name="Remove Enamel mug").click()
    undo = page.get_by_role("button", name="Undo: Removed Enamel mug.")
    expect(undo).to_be_focused()
    assert page.evaluate("window.said") == ["Removed Enamel mug."]
    visitor.check("undo row")
    page.get_by_role("button", name="Remove Linen towel").click()
    expect(page.get_by_role("heading", name="Your cart is empty.")).to_be_visible()
    page.get_by_role("button", name="Undo: Removed Linen towel.").click()
    expect(page.get_by_role("link", name="Linen towel")).to_be_visible()


def test_saving_for_later_and_moving_back_needs_no_reload(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.get_by_role("button", name="Save Enamel mug for later").click()
    expect(page.get_by_role("heading", name="Saved for later (1)")).to_be_visible()
    visitor.check("saved list")
    page.get_by_role("button", name="Move Enamel mug to cart").click()
    expect(page.locator("#quantity-MUG")).to_have_value("1")
    expect(page.locator("#summary")).to_contain_text("£36.00")


def test_a_refused_quantity_stays_in_its_field_with_the_reason(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.locator("#quantity-MUG").fill("100")
    page.keyboard.press("Enter")
    expect(page.locator("#error-MUG")).to_be_visible()
    assert page.locator("#quantity-MUG").input_value() == "100"
    visitor.check("refused quantity")


def test_without_a_network_the_old_number_comes_back_and_says_why(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    visitor.context.set_offline(True)
    page.get_by_role("button", name="One Enamel mug more").click()
    expect(page.locator("#error-MUG")).to_have_text("Not saved. Check your connection and try again.")
    assert page.locator("#quantity-MUG").input_value() == "1"
    visitor.context.set_offline(False)
    visitor.troubles.clear()


def test_an_answer_that_comes_late_is_not_shown(visit: Open) -> None:
    page = filled(visit).page
    page.evaluate("document.getElementById('cart').dataset.version = '9999999999999999'")
    page.evaluate(
        """() => {
          window.isShown = new Promise((tell) => document.addEventListener("htmx:beforeSwap", (event) => {
            setTimeout(() => tell(event.detail.shouldSwap));
          }));
        }"""
    )
    page.get_by_role("button", name="One Enamel mug more").click()
    assert page.evaluate("window.isShown") is False
    expect(page.locator("#summary")).to_contain_text("£36.00")


def test_the_badge_needs_no_request_and_back_shows_the_present_cart(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    asked: list[str] = []
    visitor.open("/p/enamel-mug/")
    page.on("request", lambda request: asked.append(request.url))
    visitor.open("/")
    expect(page.locator("#badge")).to_contain_text("2 items")
    assert not [url for url in asked if "/cart" in url or "/api" in url]
    visitor.open("/cart/")
    visitor.open("/p/linen-towel/")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_text("Cart: 3 items.").wait_for()
    page.go_back()
    expect(page.locator("#quantity-TOWEL")).to_have_value("2")


def test_nothing_is_covered_by_the_bar_and_every_target_is_large(visit: Open) -> None:
    page = filled(visit, width=360).page
    for _ in range(30):
        page.keyboard.press("Tab")
        overlap = page.evaluate(
            """() => {
              const at = document.activeElement, bar = document.getElementById("bar");
              if (at === document.body || bar.contains(at)) return 0;
              const a = at.getBoundingClientRect(), b = bar.getBoundingClientRect();
              return Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
            }"""
        )
        assert overlap == 0, focused(page)
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, input:not([type=hidden])")]
          .filter((one) => one.checkVisibility() && !one.classList.contains("vh"))
          .map((one) => [one.textContent || one.id, one.getBoundingClientRect()])
          .filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"""
    )
    assert small == []
