"""A guest with a cart signs in to an account that has one too."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model

from cart import services as carts
from cart.types import CartRef
from shop.checkout.models import Checkout
from shop.core import clock
from tests.web.helpers import ADDRESS, sell, set_price, shopper_with, to_review
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "long enough to be safe"


def make_customer(email: str = "ada@example.org") -> CartRef:
    user = get_user_model().objects.create_user(email=email, password=PASSWORD)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    return CartRef("u", str(user.pk))


def sign_in(shopper: Shopper) -> Shopper:
    return shopper.press("Sign in", login="ada@example.org", password=PASSWORD)


def test_signing_in_from_the_cart_joins_both_carts_and_says_so() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    sell("TOWEL-OAT", "Linen towel", price=2_200)
    ref = make_customer()
    carts.set_quantity(ref=ref, sku_id="MUG-350", quantity=4, now=clock.now())
    shopper = shopper_with("MUG-350", "TOWEL-OAT")

    sign_in(shopper.open("/cart/").follow("Sign in"))

    assert shopper.url == "/cart/"
    assert shopper.sees("We joined two carts")
    assert shopper.sees("Enamel mug: kept 4 (the other cart had 1)")
    assert shopper.sees("Linen towel: added")
    assert "cart_session" not in {name for name, cookie in shopper.client.cookies.items() if cookie.value}
    assert shopper.client.cookies["cart_n"].value == "5"
    shopper.press("Got it")
    assert shopper.sees("Notices cleared.")
    assert not shopper.open("/cart/").sees("We joined two carts")


def test_a_merge_can_be_undone_from_its_receipt() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    sell("TOWEL-OAT", "Linen towel", price=2_200)
    ref = make_customer()
    carts.set_quantity(ref=ref, sku_id="MUG-350", quantity=4, now=clock.now())
    shopper = shopper_with("TOWEL-OAT")
    sign_in(shopper.open("/cart/").follow("Sign in"))

    shopper.press("Undo")

    assert shopper.sees("Your account's cart is as it was.")
    assert shopper.sees("Saved for later (1)")
    assert shopper.sees("£56.00")


def test_signing_in_during_checkout_goes_on_with_the_joined_cart() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=1)
    make_customer()
    shopper = shopper_with("MUG-350")
    shopper.press("Check out")

    sign_in(shopper.follow("Sign in"))
    assert shopper.url == "/cart/"
    to_review(shopper).press("Pay £14.00")

    assert shopper.sees("Thank you for your order")


def test_what_a_guest_typed_into_checkout_is_not_in_the_customers_form() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    make_customer()
    shopper = shopper_with("MUG-350")
    shopper.press("Check out")
    shopper.press("Continue to payment", **ADDRESS | {"email": "mallory@example.net", "line1": "9 Planted Lane"})

    sign_in(shopper.open("/accounts/login/"))
    shopper.open("/cart/").press("Check out")

    assert shopper.url.endswith("/delivery/")
    typed = shopper.fields_of("Continue to payment")
    assert "mallory@example.net" not in typed["email"]
    assert typed["line1"] == [""]
    assert b"Planted" not in shopper.response.content  # type: ignore[union-attr]  # a page was answered
    assert "checkout_carried" not in shopper.client.session


def test_signing_out_hides_the_customers_cart() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    make_customer()
    shopper = sign_in(shopper_with("MUG-350").open("/cart/").follow("Sign in"))
    assert shopper.sees("Enamel mug")

    shopper.open("/accounts/logout/")
    assert shopper.open("/cart/").sees("Enamel mug")  # a GET signs nobody out
    answer = shopper.client.post("/accounts/logout/", shopper.open("/accounts/email/").fields_of("Sign out"))

    assert answer["Clear-Site-Data"] == '"cache"'
    assert shopper.open("/cart/").sees("Your cart is empty.")
    assert not shopper.client.cookies["cart_n"].value


def test_a_price_that_rose_is_agreed_to_before_anything_is_reserved() -> None:
    sell("MUG-350", "Enamel mug", price=1_200, on_hand=3)
    shopper = shopper_with("MUG-350")
    set_price("MUG-350", 1_400)

    shopper.press("Check out")
    assert shopper.title.startswith("Prices have changed")
    assert Checkout.objects.count() == 0

    shopper.press("Continue at £14.00")
    assert shopper.url.endswith("/delivery/")


def test_a_customers_form_knows_where_the_last_order_went_and_a_guests_knows_nothing() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    make_customer()
    shopper = sign_in(shopper_with("MUG-350").open("/cart/").follow("Sign in"))
    shopper.open("/cart/").press("Check out")
    assert shopper.fields_of("Continue to payment")["email"] == ["ada@example.org"]
    assert shopper.fields_of("Continue to payment")["line1"] == [""]
    to_review(shopper).press("Pay £14.00")

    again = shopper.open("/p/enamel-mug/").press("Add to cart").open("/cart/").press("Check out")
    typed = again.fields_of("Continue to payment")
    assert {name: typed[name] for name in ADDRESS} == {name: [value] for name, value in ADDRESS.items()}
    assert again.press("Continue to payment").url.endswith("/payment/")

    stranger = shopper_with("MUG-350").press("Check out")
    assert stranger.fields_of("Continue to payment")["line1"] == [""]
    assert stranger.fields_of("Continue to payment")["email"] == [""]
