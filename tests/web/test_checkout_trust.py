"""What checkout does not believe: that a mail address is one's own, that a page opened is a payment made."""

from __future__ import annotations

import pytest

from shop.accounts.models import User
from shop.checkout.models import Checkout, Order, Payment
from tests.web.helpers import ADDRESS, sell, shopper_with, to_review

pytestmark = pytest.mark.django_db


def test_a_guest_who_types_a_customers_mail_address_stays_a_guest() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    customer = User.objects.create_user(ADDRESS["email"], "long enough to be safe")

    shopper = to_review(shopper_with("MUG-350")).press("Pay £14.00")

    assert shopper.sees("Thank you for your order")
    order = Order.objects.get()
    assert (order.user_id, order.owner[:2], order.email) == (None, "g:", ADDRESS["email"])
    assert "_auth_user_id" not in shopper.client.session
    shopper.client.cookies.clear()
    shopper.client.force_login(customer)
    assert not shopper.open("/orders/").sees(order.number)
    assert shopper.open(f"/orders/{order.number}/").status == 404


def test_no_page_that_is_opened_makes_anything_paid() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = to_review(shopper_with("MUG-350"))
    checkout = Checkout.objects.get().checkout_id

    for step in ("pay", "waiting", "review", "waiting", "payment"):
        shopper.open(f"/checkout/{checkout}/{step}/")
        assert shopper.status == 200
    shopper.open("/checkout/")

    assert Checkout.objects.get().state == "open"
    assert not Payment.objects.exists()
    assert not Order.objects.exists()


def test_a_page_of_a_payment_that_is_undecided_says_so_however_often_it_is_opened() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = to_review(shopper_with("MUG-350"), pays="slow").press("Pay £14.00")
    for _ in range(3):
        assert shopper.open(shopper.url).sees("We are waiting for your bank")
    assert Payment.objects.get().state == "processing"
    assert not Order.objects.exists()


def test_the_steps_cannot_be_skipped() -> None:
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG-350").open("/cart/").press("Check out")
    checkout = Checkout.objects.get().checkout_id
    for step in ("payment", "review"):
        assert shopper.open(f"/checkout/{checkout}/{step}/").url.endswith("/delivery/")
    form = {name: shopper.fields_of("Continue to payment")[name] for name in ("csrfmiddlewaretoken",)}

    shopper.post(f"/checkout/{checkout}/pay/", {**form, "expected_total": ["1400"], "key": ["x"]})

    assert shopper.url.endswith("/delivery/")
    assert not Payment.objects.exists()
