"""The whole purchase in a real browser, with scripts and without."""

from __future__ import annotations

import pytest

from shop.checkout.models import FakeCharge, Order
from shop.core import clock
from tests.browser.conftest import Open
from tests.web.helpers import ADDRESS, sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_guest_buys(visit: Open, scripts: bool) -> None:  # noqa: FBT001 - a case, not a switch
    sell("MUG", "Enamel mug", price=1_400)
    sell("TOWEL", "Linen towel", price=2_200)
    visitor = visit(scripts=scripts, width=360)
    page = visitor.page

    visitor.add("/p/enamel-mug/", "/p/linen-towel/")
    visitor.open("/cart/")
    page.get_by_role("button", name="One Enamel mug more").click()
    page.get_by_text("£50.00").first.wait_for()
    page.get_by_role("region", name="Total and checkout").get_by_role("button", name="Check out").click()
    for name, value in ADDRESS.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Continue to payment").last.click()
    page.get_by_text("Approved").click()
    page.get_by_role("button", name="Continue to review").click()
    page.get_by_role("button", name="Pay £50.00").click()
    page.get_by_role("heading", name="Thank you for your order").wait_for()

    number = Order.objects.get().number
    assert page.url.endswith(f"/orders/{number}/")
    page.go_back()
    # Without scripts the browser may show the review from its memory: its button leads to the same order.
    again = page.get_by_role("button", name="Pay £50.00").or_(
        page.get_by_role("heading", name="Thank you for your order")
    )
    again.first.wait_for()
    if not scripts and page.get_by_role("button", name="Pay £50.00").is_visible():
        page.get_by_role("button", name="Pay £50.00").click()
    page.get_by_role("heading", name="Thank you for your order").wait_for()
    assert Order.objects.count() == 1
    visitor.open("/cart/")
    page.get_by_role("heading", name="Your cart is empty.").wait_for()


def test_a_slow_bank_is_waited_for(visit: Open) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    visitor = visit()
    page = visitor.page
    visitor.add("/p/enamel-mug/")
    visitor.open("/cart/").locator(".side").get_by_role("button", name="Check out").click()
    for name, value in ADDRESS.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Continue to payment").last.click()
    page.get_by_text("Slow bank").click()
    page.get_by_role("button", name="Continue to review").click()
    page.get_by_role("button", name="Pay £14.00").dblclick()
    page.get_by_role("heading", name="We are waiting for your bank").wait_for()
    FakeCharge.objects.update(settles_at=clock.now())
    page.get_by_role("heading", name="Thank you for your order").wait_for()
    assert Order.objects.count() == 1
