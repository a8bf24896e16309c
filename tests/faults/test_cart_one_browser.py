"""One customer signs out, another signs in, in one browser: nothing crosses."""

from __future__ import annotations

import pytest
from django.contrib.sessions.backends.cached_db import SessionStore

from cart import selectors as carts
from cart.types import CartRef
from shop.checkout.models import Checkout
from tests.journeys.test_page_sign_in_joins_carts import PASSWORD, make_customer
from tests.web.helpers import ADDRESS, sell, shopper_with
from tests.web.shopper import Shopper

pytestmark = [pytest.mark.fault, pytest.mark.django_db]


def sign_in(shopper: Shopper, email: str) -> None:
    shopper.open("/accounts/login/?next=/cart/").press("Sign in", login=email, password=PASSWORD)


def sign_out(shopper: Shopper) -> None:
    shopper.client.post("/accounts/logout/", shopper.open("/accounts/email/").fields_of("Sign out"))


def adas_browser() -> Shopper:
    """Give a browser in which Ada signed in with a guest's cart, typed an address, and signed out."""
    sell("MUG", "Enamel mug", price=1_400)
    make_customer("ada@example.org")
    shopper = shopper_with("MUG")
    sign_in(shopper, "ada@example.org")
    shopper.open("/cart/").press("Check out").press("Continue to payment", **ADDRESS)
    sign_out(shopper)
    return shopper


def test_the_next_customer_sees_nothing_of_the_one_before() -> None:
    bob = make_customer("bob@example.org")
    shopper = adas_browser()
    before = shopper.client.session.session_key
    assert {name for name, one in shopper.client.cookies.items() if one.value} <= {"csrftoken", "sessionid", "messages"}

    sign_in(shopper, "bob@example.org")

    assert shopper.client.session.session_key != before
    assert shopper.open("/cart/").sees("Your cart is empty.")
    assert not shopper.sees("Enamel mug")
    checkout = Checkout.objects.get()
    assert shopper.open(f"/checkout/{checkout.checkout_id}/payment/").status == 404
    assert b"Analytical" not in shopper.open("/orders/").response.content  # type: ignore[union-attr]  # a page
    assert carts.get_cart(ref=bob).lines == ()
    ada_again = carts.get_cart(ref=CartRef("u", checkout.owner.partition(":")[2]))
    assert [line.sku_id for line in ada_again.lines] == ["MUG"]


def test_a_sign_in_that_changes_the_sessions_key_keeps_the_cart() -> None:
    sell("MUG", "Enamel mug", price=1_400)
    ada = make_customer("ada@example.org")
    shopper = shopper_with("MUG")
    shopper.press("Check out")  # which a session remembers
    before = shopper.client.session.session_key
    assert before

    sign_in(shopper, "ada@example.org")

    assert shopper.client.session.session_key != before
    assert [line.sku_id for line in carts.get_cart(ref=ada).lines] == ["MUG"]
    assert shopper.open("/cart/").sees("Enamel mug")


def test_a_cart_that_only_the_session_named_would_be_gone_with_its_key() -> None:
    """The twin: without the secret of the guest's own, the new session leads to no cart."""
    sell("MUG", "Enamel mug", price=1_400)
    make_customer("ada@example.org")
    shopper = shopper_with("MUG")
    shopper.press("Check out")
    del shopper.client.cookies["cart_session"]
    sign_in(shopper, "ada@example.org")
    assert shopper.open("/cart/").sees("Your cart is empty.")


def test_a_session_that_is_not_flushed_would_still_be_hers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin."""
    monkeypatch.setattr(SessionStore, "flush", lambda _: None)
    shopper = adas_browser()
    assert shopper.open("/cart/").sees("Enamel mug")
