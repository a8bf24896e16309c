"""Every page in every look: axe finds nothing, nothing scrolls sideways, nothing complains on the console."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.db.models import F
from playwright.sync_api import Page

from inventory.models import Reservation
from shop.checkout.models import Checkout, Order
from tests.browser.conftest import Open, Visitor
from tests.web.helpers import ADDRESS, sell, set_price, set_stock, stop_selling

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [(width, scheme) for width in (1280, 360, 320) for scheme in ("light", "dark")]
PASSWORD = "long enough to be safe"


def look(visitor: Visitor, state: str) -> None:
    """Check the present page in every look; the dark ones differ from the light ones of their width in colors alone."""
    for width, scheme in LOOKS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        # Without motion, so that no color is caught half way from one scheme to the other.
        visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # its names
        visitor.check(f"{state}, {width} px, {scheme}:", rules="all" if scheme == "light" else "colors")


def assortment() -> None:
    sell("MUG", "Enamel mug", price=1_400, options=(("Size", "350 ml"), ("Colour", "Slate")))
    sell("MUG-L", "Enamel mug", price=1_700, on_hand=2, options=(("Size", "500 ml"), ("Colour", "Slate")))
    sell("TOWEL", "Linen towel", price=2_200)
    sell("TRIVET", "Cork trivet with a name so long that it has to be broken into several lines", price=900)
    sell("GONE", "Sold out vase", on_hand=0)


def test_the_shop_and_the_cart(visit: Open) -> None:
    assortment()
    visitor = visit(is_resized=True)
    page = visitor.page
    for path, state in (
        ("/", "list"),
        ("/?q=mug&category=Kitchen", "search"),
        ("/?q=nothing-like-this", "nothing found"),
        ("/p/enamel-mug/", "product"),
        ("/p/sold-out-vase/", "sold out"),
        ("/cart/", "empty cart"),
        ("/orders/", "no orders"),
        ("/orders/find/", "find an order"),
        ("/accounts/login/", "sign in"),
        ("/accounts/signup/", "sign up"),
        ("/accounts/password/reset/", "reset"),
        ("/nothing/", "404"),
    ):
        visitor.open(path)
        look(visitor, state)
    visitor.add("/p/enamel-mug/", "/p/enamel-mug/?sku=MUG-L", "/p/linen-towel/")
    look(visitor, "added")
    visitor.add("/p/cork-trivet-with-a-name-so-long-that-it-has-to-be-broken-into-several-lines/")
    visitor.open("/cart/")
    page.locator("#quantity-MUG-L").fill("2")
    page.locator("#summary").get_by_text("£79.00").first.wait_for()
    page.get_by_role("button", name="Save Linen towel for later").click()
    page.get_by_role("heading", name="Saved for later (1)").wait_for()
    look(visitor, "cart")
    set_price("MUG", 1_600)
    set_stock("MUG-L", 1)
    stop_selling("TRIVET")
    visitor.open("/cart/?stop=insufficient_stock")
    look(visitor, "cart with everything wrong")


def test_checkout_and_orders(visit: Open) -> None:
    assortment()
    visitor = visit(is_resized=True)
    page = visitor.page
    visitor.add("/p/enamel-mug/")
    set_price("MUG", 1_600)
    check_out(visitor)
    look(visitor, "agreement")
    page.get_by_role("button", name="Continue at £16.00").click()
    look(visitor, "delivery")
    page.get_by_role("button", name="Continue to payment").last.click()
    page.get_by_role("heading", name="There is a problem").wait_for()
    look(visitor, "delivery with errors")
    pay(page, "Declined")
    page.get_by_text("Your bank declined the card.").wait_for()
    look(visitor, "declined")
    choose(page, "Bank asks you to confirm")
    look(visitor, "review")
    page.get_by_role("button", name="Pay £16.00").click()
    look(visitor, "bank")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Thank you for your order").wait_for()
    look(visitor, "order")
    visitor.open("/orders/")
    look(visitor, "orders")
    assert Order.objects.count() == 1

    visitor.add("/p/linen-towel/")
    check_out(visitor)
    page.get_by_role("button", name="Add 10 minutes").wait_for()
    checkout = Checkout.objects.get(state="open")
    expire(checkout.reservation_id)
    page.reload()
    look(visitor, "expired")
    visitor.open("/cart/")
    look(visitor, "cart with a checkout under way")


def test_the_account(visit: Open) -> None:
    user = get_user_model().objects.create_user(email="ada@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email="ada@example.org", primary=True, verified=True)
    visitor = visit(is_resized=True)
    page = visitor.page
    visitor.open("/accounts/login/?next=/accounts/email/")
    page.get_by_label("Email", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="There is a problem").wait_for()
    look(visitor, "wrong password")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Show password").click()
    assert page.locator("#id_password").get_attribute("type") == "text"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Account").wait_for()
    look(visitor, "account")
    visitor.open("/accounts/password/change/")
    look(visitor, "password")
    visitor.open("/accounts/logout/")
    look(visitor, "sign out")


def check_out(visitor: Visitor) -> None:
    page = visitor.open("/cart/")
    page.get_by_role("button", name="Check out").locator("visible=true").first.click()


def choose(page: Page, outcome: str) -> None:
    page.locator("label", has_text=outcome).click()
    page.get_by_role("button", name="Continue to review").click()


def pay(page: Page, outcome: str) -> None:
    for name, value in ADDRESS.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Continue to payment").last.click()
    choose(page, outcome)
    page.get_by_role("button", name="Pay").click()


def expire(reservation_id: str) -> None:
    hour = timedelta(hours=1)
    Reservation.objects.filter(pk=reservation_id).update(
        created_at=F("created_at") - hour, expires_at=F("expires_at") - hour
    )
