"""A guest buys something, with a browser that runs no scripts."""

from __future__ import annotations

import pytest

from shop.checkout.models import Order
from tests.web.helpers import ADDRESS, sell, shopper_with
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guest_finds_a_product_and_buys_it_without_javascript() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=9, options=(("Size", "350 ml"),))
    sell("TOWEL-OAT", "Linen towel", price=2_200, on_hand=3)
    shopper = Shopper()

    shopper.open("/").press("Search", q="enamel")
    assert shopper.sees("1 product")
    shopper.follow("Enamel mug").press("Add to cart", quantity="2")
    assert shopper.seen == [303, 200]
    assert shopper.url == "/cart/"
    assert shopper.sees("Added Enamel mug, 350 ml. Cart: 2 items.")
    shopper.open("/p/linen-towel/")
    assert shopper.sees("Only 3 left")
    shopper.press("Add to cart")
    assert shopper.sees("£50.00")

    shopper.press("Check out")
    assert shopper.url.endswith("/delivery/")
    assert shopper.sees("Items reserved for about 10 minutes")
    shopper.press("Continue to payment", **ADDRESS)
    assert shopper.url.endswith("/payment/")
    shopper.press("Continue to review", provider_token="ok")
    assert shopper.url.endswith("/review/")
    assert shopper.sees("1 Analytical Row")
    shopper.press("Pay £50.00")

    order = Order.objects.get()
    assert shopper.url == f"/orders/{order.number}/"
    assert shopper.seen == [303, 200]
    assert shopper.sees("Thank you for your order")
    assert shopper.client.cookies["cart_n"].value == "0"
    assert shopper.sees("2 × Enamel mug, 350 ml")
    assert not shopper.sees("reserved for")
    assert shopper.open("/cart/").sees("Your cart is empty.")
    assert shopper.open("/orders/").sees(order.number)


def test_paying_twice_and_going_back_makes_one_order() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=9)
    shopper = shopper_with("MUG-350")
    shopper.press("Check out").press("Continue to payment", **ADDRESS).press("Continue to review")
    review = shopper.url
    form = shopper.fields_of("Pay £14.00")
    shopper.press("Pay £14.00")
    order = shopper.url

    shopper.post(review.replace("/review/", "/pay/"), form)  # the second press, or Back and again
    assert shopper.url == order
    shopper.open(review)
    assert shopper.url == order
    assert Order.objects.count() == 1


def test_a_guest_finds_the_order_from_another_browser() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=9)
    shopper = shopper_with("MUG-350")
    shopper.press("Check out").press("Continue to payment", **ADDRESS).press("Continue to review").press("Pay £14.00")
    number = Order.objects.get().number

    other = Shopper()
    assert other.open(f"/orders/{number}/").status == 404
    other.open("/orders/find/").press("Find order", number=number, email="eve@example.org")
    assert other.status == 422
    assert other.title.startswith("Error: ")
    other.press("Find order", email="ADA@example.org")
    assert other.url == f"/orders/{number}/"


def test_ordering_again_fills_the_cart_at_todays_prices() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=9)
    shopper = shopper_with("MUG-350")
    shopper.press("Check out").press("Continue to payment", **ADDRESS).press("Continue to review").press("Pay £14.00")

    shopper.press("Order again")

    assert shopper.url == "/cart/"
    assert shopper.sees("The items of your order are in your cart")
    assert shopper.sees("Enamel mug")
