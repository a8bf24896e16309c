"""What was ordered before is ordered again from its page; the cart says what became of it."""

from __future__ import annotations

from random import Random

import pytest
from django.test import Client

from shop.core.web.told import MOST, pack_told, unpack_told
from tests.web.helpers import sell, set_stock, shopper_with, stop_selling, to_review
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


def ordered(*sku_ids: str) -> Shopper:
    shopper = to_review(shopper_with(*sku_ids))
    pay = next(button.text for button in shopper._page.buttons if button.text.startswith("Pay "))
    return shopper.press(pay)


def test_all_of_an_order_is_in_the_cart_again() -> None:
    sell("MUG", "Enamel mug", price=1_400)
    shopper = ordered("MUG").press("Order again")
    assert shopper.url == "/cart/"
    assert shopper.sees("The items of your order are in your cart, at today's prices.")
    assert shopper.sees("£14.00")


def test_what_is_left_out_is_named_with_the_reason() -> None:
    for sku_id, title in (("MUG", "Enamel mug"), ("TOWEL", "Linen towel"), ("TRIVET", "Cork <b>trivet</b>")):
        sell(sku_id, title)
    shopper = ordered("MUG", "TOWEL", "TRIVET")
    set_stock("TOWEL", 0)
    stop_selling("TRIVET")

    shopper.press("Order again")

    assert shopper.seen == [303, 200]
    assert shopper.sees("Your cart has what is still there of your order")
    assert shopper.sees("Linen towel: out of stock, left out")
    assert shopper.sees("Cork <b>trivet</b> is no longer sold: left out")
    assert not shopper.sees("Enamel mug:")
    assert b"<b>trivet" not in shopper.response.content  # type: ignore[union-attr]  # a page


def test_what_the_cart_holds_already_is_not_said_to_be_added() -> None:
    sell("MUG", "Enamel mug", on_hand=2)
    shopper = ordered("MUG")
    number = shopper.url
    shopper.press("Order again").open(number).press("Order again")
    assert shopper.sees("Enamel mug: your cart already has as many as you can buy")


def test_nobody_puts_words_of_their_own_into_the_cart() -> None:
    told = pack_told(["Linen towel: out of stock, left out"])
    page = Client().get(
        "/cart/", {"stop": "ordered_again_partly", "told": told[:-1] + ("B" if told.endswith("A") else "A")}
    )
    assert "Linen towel" not in page.content.decode()
    assert unpack_told("x" * 10_000) == ()


@pytest.mark.parametrize("letters", ["abcdefghijklmnopqrstuvwxyz", "".join(map(chr, range(0x4E00, 0x5E00)))])
def test_a_long_list_still_fits_into_an_address(letters: str) -> None:
    pick = Random(7)
    told = pack_told(["".join(pick.choices(letters, k=200)) for _ in range(99)])
    assert len(told) <= 3_600
    *kept, rest = unpack_told(told)
    assert 5 < len(kept) <= MOST
    assert rest == f"and {99 - len(kept)} more"
