"""What a shopper's own checkout has reserved is theirs when carts are joined, on the page and through the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from cart import selectors as carts
from cart import services
from cart.types import CartRef
from shop.core import clock
from tests.api.helpers import Api
from tests.journeys.test_page_sign_in_joins_carts import PASSWORD, make_customer
from tests.web.helpers import sell, shopper_with

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _last_units() -> None:
    sell("MUG", "Enamel mug", price=1_400, on_hand=3)


def held(ref: CartRef) -> dict[str, int]:
    return {line.sku_id: line.quantity for line in carts.get_cart(ref=ref).lines}


@pytest.mark.parametrize(("is_own", "units"), [(True, 3), (False, 2)])
def test_a_question_about_what_the_own_checkout_has_reserved_is_answered_in_full(
    settings: Settings,
    is_own: bool,  # noqa: FBT001 - drawn
    units: int,
) -> None:
    """The second is the twin: what somebody else's checkout has reserved is not there."""
    settings.CART = replace(settings.CART, merge_policy="prompt")
    ref = make_customer()
    services.set_quantity(ref=ref, sku_id="MUG", quantity=1, now=clock.now())
    shopper = shopper_with("MUG").press("Update the quantity of Enamel mug", quantity="3")
    shopper.open("/accounts/login/?next=/cart/").press("Sign in", login="ada@example.org", password=PASSWORD)
    services.set_quantity(ref=ref, sku_id="MUG", quantity=2, now=clock.now())
    assert shopper.open("/cart/").press("Check out").url.endswith("/delivery/")
    if not is_own:
        del shopper.client.cookies["own_checkout"]

    assert shopper.open("/cart/merge/").sees(f"Cart: {units} items.")
    shopper.press("Join the carts", policy="max")
    assert held(ref) == {"MUG": units}


def test_lines_that_an_app_kept_join_what_its_checkout_has_reserved() -> None:
    make_customer()
    api = Api()
    api.sign_in("ada@example.org", PASSWORD)
    api("PUT", "cart/items/MUG", {"quantity": 2})
    checkout: Any = api("POST", "checkouts", {}, key=True, If_Match="*").json()
    wish = {"source": {"items": [{"sku_id": "MUG", "quantity": 3}]}, "policy": "max"}

    for own, units in (({}, 2), ({"Own_Checkout": checkout["id"]}, 3)):
        joined = api("POST", "cart/merge", {**wish, "merge_id": f"m{units}"}, **own).json()
        assert joined["cart"]["items"] == [{"sku_id": "MUG", "quantity": units}]
