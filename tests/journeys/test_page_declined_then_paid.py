"""A payment is declined, and the next one goes through; slow banks and banks that ask back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from inventory import services as inventory
from shop.checkout import services
from shop.checkout.models import Checkout, Order, Payment
from shop.core import clock
from tests.web.helpers import sell, set_stock, shopper_with, to_review

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_declined_payment_keeps_everything_and_the_next_one_pays() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=1)
    shopper = to_review(shopper_with("MUG-350"), pays="declined")

    shopper.press("Pay £14.00")
    assert shopper.url.endswith("/payment/")
    assert shopper.sees("Your bank declined the card. Nothing was charged.")
    assert Order.objects.count() == 0

    shopper.press("Continue to review", provider_token="ok")
    assert shopper.sees("1 Analytical Row")
    shopper.press("Pay £14.00")
    assert shopper.sees("Thank you for your order")


def test_a_slow_bank_is_waited_for_without_paying_again() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = to_review(shopper_with("MUG-350"), pays="slow")

    shopper.press("Pay £14.00")
    assert shopper.url.endswith("/waiting/")
    assert shopper.sees("We are waiting for your bank")
    shopper.press("Check again")
    assert shopper.url.endswith("/waiting/")
    shopper.open("/cart/")
    assert shopper.sees("This cart is being paid for.")

    with time_machine.travel(clock.now() + timedelta(seconds=6)):
        shopper.follow("Continue").press("Check again")
    assert shopper.sees("Thank you for your order")
    assert Order.objects.count() == 1


def test_a_bank_that_asks_back_is_answered_on_its_page() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = to_review(shopper_with("MUG-350"), pays="requires_action")

    shopper.press("Pay £14.00")
    assert shopper.url.startswith("/checkout/payer/")
    shopper.press("Refuse")
    assert shopper.url.endswith("/payment/")
    assert shopper.sees("Your bank declined the card.")
    shopper.press("Continue to review", provider_token="requires_action").press("Pay £14.00").press("Confirm")
    assert shopper.sees("Thank you for your order")
    assert Order.objects.count() == 1


def test_money_that_came_after_the_items_were_sold_is_said_to_be_given_back() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, on_hand=1)
    shopper = to_review(shopper_with("MUG-350"), pays="slow").press("Pay £14.00")
    reservation = Checkout.objects.get().reservation_id
    inventory.release(reservation_id=reservation, cause="expired")
    set_stock("MUG-350", 0)

    with time_machine.travel(clock.now() + timedelta(seconds=6)):
        shopper.press("Check again")

    assert shopper.sees("Your payment arrived too late: what it was for had gone to somebody else.")
    assert shopper.sees("We are refunding £14.00 in full.")
    assert Order.objects.count() == 0
    services.refund_payments(now=clock.now() + timedelta(seconds=10))
    assert shopper.open("/checkout/").sees("We are refunding £14.00 in full.")
    assert Payment.objects.get().state == "refunded"
