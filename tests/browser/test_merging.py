"""Two carts at sign-in, in a real browser: the shop asks, the customer chooses, and may change her mind."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from cart import services
from shop.core import clock
from tests.browser.conftest import Open
from tests.browser.test_accessibility import look
from tests.journeys.test_page_sign_in_joins_carts import PASSWORD, make_customer
from tests.web.helpers import sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server ask, which is a process of its own."""
    monkeypatch.setenv("CART_MERGE_POLICY", "prompt")


def test_the_question_is_answered_with_the_keyboard_and_undone(visit: Open) -> None:
    sell("MUG", "Enamel mug", price=1_000)
    services.set_quantity(ref=make_customer(), sku_id="MUG", quantity=4, now=clock.now())
    visitor = visit()
    page = visitor.page
    visitor.add("/p/enamel-mug/")
    visitor.open("/accounts/login/?next=/cart/")
    page.get_by_label("Email", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="You have two carts").wait_for()
    look(visitor, "cart that asks")

    page.get_by_role("link", name="Choose quantities").click()
    expect(page.get_by_role("radio", name="Keep the larger quantities")).to_be_checked()
    look(visitor, "question")
    page.get_by_role("radio", name="Keep the larger quantities").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Add the quantities together")).to_be_checked()
    page.keyboard.press("Enter")
    page.get_by_text("Enamel mug: 4 + 1 = 5").wait_for()
    expect(page.locator("#quantity-MUG")).to_have_value("5")
    expect(page.locator("#badge")).to_contain_text("5")

    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#live")).to_have_text("Your last change was undone.")
    expect(page.locator("#quantity-MUG")).to_have_value("4")
    expect(page.get_by_role("heading", name="You have two carts")).to_be_visible()
