"""The page that asks which quantities to keep, by its forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import Settings

from cart import selectors as carts
from cart import services
from cart.types import CartRef
from shop.core import clock
from tests.journeys.test_page_sign_in_joins_carts import make_customer, sign_in
from tests.web.helpers import sell, set_stock, shopper_with
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(settings: Settings) -> CartRef:
    """Give a customer four mugs and a towel, in a shop that asks."""
    settings.CART = replace(settings.CART, merge_policy="prompt")
    sell("MUG", "Enamel mug", price=1_000)
    sell("TOWEL", "Linen towel", price=2_000)
    sell("TRIVET", "Cork trivet", price=500)
    ref = make_customer()
    services.set_quantity(ref=ref, sku_id="MUG", quantity=4, now=clock.now())
    services.set_quantity(ref=ref, sku_id="TOWEL", quantity=1, now=clock.now())
    return ref


def signed_in() -> Shopper:
    """Sign in with a mug and a trivet in the guest's cart."""
    return sign_in(shopper_with("MUG", "TRIVET").open("/cart/").follow("Sign in"))


def quantities(ref: CartRef) -> dict[str, int]:
    return {line.sku_id: line.quantity for line in carts.get_cart(ref=ref).lines}


def test_both_quantities_stand_side_by_side_and_each_choice_has_its_total(ada: CartRef) -> None:
    shopper = signed_in()
    assert shopper.sees("You have two carts")
    shopper.follow("Choose quantities")
    assert shopper.url == "/cart/merge/"
    assert shopper.sees("Enamel mug 4 1")
    assert not shopper.sees("Cork trivet")
    assert shopper.sees("Keep the larger quantities Cart: 6 items. £65.00")
    assert shopper.sees("Add the quantities together Cart: 7 items. £75.00")
    assert shopper.sees("Keep your account's quantities Cart: 6 items. £65.00")
    assert shopper.fields_of("Join the carts")["policy"] == ["max"]


@pytest.mark.parametrize(
    ("policy", "mugs", "said"),
    [
        ("max", 4, "Enamel mug: kept 4 (the other cart had 1)"),
        ("sum", 5, "Enamel mug: 4 + 1 = 5"),
        ("keep_saved", 4, "Enamel mug: kept the 4 of your account"),
    ],
)
def test_an_answer_joins_and_the_cart_says_so(ada: CartRef, policy: str, mugs: int, said: str) -> None:
    shopper = signed_in().follow("Choose quantities").press("Join the carts", policy=policy)
    assert shopper.seen == [303, 200]
    assert shopper.url == "/cart/"
    assert shopper.sees(said)
    assert not shopper.sees("You have two carts")
    assert quantities(ada) == {"MUG": mugs, "TOWEL": 1, "TRIVET": 1}
    assert shopper.client.cookies["cart_n"].value == str(mugs + 2)


def test_the_totals_shown_are_those_that_come_of_it(ada: CartRef) -> None:
    set_stock("MUG", 4)
    shopper = signed_in().follow("Choose quantities")
    assert shopper.sees("Add the quantities together Cart: 6 items. £65.00")
    shopper.press("Join the carts", policy="sum")
    assert shopper.sees("£65.00")
    assert shopper.sees("Enamel mug: 4 of 5 kept, only 4 left")


def test_undo_of_an_answer_asks_again(ada: CartRef) -> None:
    shopper = signed_in().follow("Choose quantities").press("Join the carts", policy="sum").press("Undo")
    assert shopper.sees("Your last change was undone.")
    assert quantities(ada) == {"MUG": 4, "TOWEL": 1, "TRIVET": 1}
    shopper.follow("Choose quantities").press("Join the carts", policy="sum")
    assert quantities(ada)["MUG"] == 5


def test_decide_later_leaves_the_question(ada: CartRef) -> None:
    shopper = signed_in().press("Got it").follow("Choose quantities").follow("Decide later")
    assert shopper.url == "/cart/"
    assert shopper.sees("You have two carts")
    assert quantities(ada) == {"MUG": 4, "TOWEL": 1, "TRIVET": 1}


@pytest.mark.parametrize("policy", ["prompt", "", "MAX", "x" * 9_999])
def test_what_is_no_choice_is_refused_on_the_page(ada: CartRef, policy: str) -> None:
    shopper = signed_in().follow("Choose quantities").press("Join the carts", policy=policy)
    assert shopper.status == 422
    assert shopper.title.startswith("Error: ")
    assert shopper.sees("Choose which quantities to keep.")
    assert quantities(ada)["MUG"] == 4
    assert shopper.press("Join the carts", policy="sum").url == "/cart/"


def test_an_answer_given_twice_counts_once(ada: CartRef) -> None:
    shopper = signed_in().follow("Choose quantities")
    form = shopper.fields_of("Join the carts") | {"policy": ["sum"]}
    shopper.post("/cart/merge/", form).post("/cart/merge/", form)
    assert shopper.url == "/cart/"
    assert quantities(ada)["MUG"] == 5


def test_an_old_page_is_asked_again_when_a_further_cart_came(ada: CartRef) -> None:
    shopper = signed_in().follow("Choose quantities")
    form = shopper.fields_of("Join the carts") | {"policy": ["sum"]}
    sign_in(shopper_with("TOWEL").open("/p/linen-towel/").press("Add to cart").open("/cart/").follow("Sign in"))
    shopper.post("/cart/merge/", form)
    assert shopper.status == 409
    assert shopper.sees("Please choose again.")
    assert shopper.fields_of("Join the carts")["policy"] == ["sum"]
    assert quantities(ada) == {"MUG": 4, "TOWEL": 1, "TRIVET": 1}
    shopper.press("Join the carts")
    assert quantities(ada) == {"MUG": 5, "TOWEL": 3, "TRIVET": 1}


def test_who_is_asked_nothing_is_led_to_the_cart() -> None:
    sell("MUG", "Enamel mug")
    shopper = shopper_with("MUG").open("/cart/merge/")
    assert shopper.url == "/cart/"
    page = shopper.client.get("/cart/").content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    shopper.post("/cart/merge/", {"csrfmiddlewaretoken": [token], "question": ["made-up"], "policy": ["sum"]})
    assert shopper.url == "/cart/"
    assert not Shopper().open("/cart/merge/").client.cookies.get("cart_session")
