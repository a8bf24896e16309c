"""A purchase from the cart to the mail, through the services alone."""

from __future__ import annotations

import re

import pytest
from django.core import mail

from notifications import tasks as notifications
from shop.checkout import access, selectors, tasks
from shop.checkout.errors import OrderUnknownError, PaymentDeclinedError
from shop.core import clock
from tests.checkout.helpers import cart_of, counters, fill, make_sku, new_guest, pay, principal_of, put, start

pytestmark = pytest.mark.django_db


def wake_everything() -> None:
    """Run every task once, as the schedule does; arguments of newer versions are ignored."""
    for task in (tasks.finish_checkouts, tasks.process_webhooks, tasks.reconcile_payments):
        task(from_a_newer_version=True)
    notifications.dispatch_messages(from_a_newer_version=True)


def test_a_guest_is_declined_pays_and_opens_the_order_from_the_mail() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref = new_guest()
    put(ref, "MUG", 2)
    put(ref, "BOWL", 1)
    view = fill(start(ref), ref, email="Grace@example.com")
    with pytest.raises(PaymentDeclinedError):
        pay(view, ref, "declined")

    payment = pay(view, ref, "ok")
    wake_everything()
    wake_everything()

    (sent,) = mail.outbox
    link = re.search(r"/orders/link/([\w-]{43})/", str(sent.body))
    assert link is not None
    token = link.group(1)
    assert access.verify_token(token=token) == payment.order_number
    order = selectors.get_order(number=payment.order_number, token=token)
    assert order.total.minor == 3_300
    assert sent.to == ["Grace@example.com"]
    assert cart_of(ref) == {}
    assert counters("MUG") == (48, 0)
    assert counters("BOWL") == (49, 0)


def test_an_order_is_found_by_its_owner_its_token_or_number_and_mail_address_and_by_nobody_else() -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG")
    number = pay(fill(start(ref), ref), ref).order_number

    assert selectors.get_order(number=number, principal=principal_of(ref)).number == number
    assert selectors.find_order(number=number, email="ADA@example.com ") is not None
    assert selectors.find_order(number=number, email="eve@example.com") is None
    for stranger in (None, principal_of(new_guest())):
        for token in (None, "", "x" * 43):
            with pytest.raises(OrderUnknownError):
                selectors.get_order(number=number, principal=stranger, token=token)


def test_a_token_of_one_order_shows_no_other() -> None:
    make_sku()
    numbers = []
    for _ in range(2):
        ref = new_guest()
        put(ref, "MUG")
        numbers.append(pay(fill(start(ref), ref), ref).order_number)
    token = access.issue_token(number=numbers[0], now=clock.now())
    with pytest.raises(OrderUnknownError):
        selectors.get_order(number=numbers[1], token=token)


def test_orders_are_listed_newest_first_slice_by_slice() -> None:
    make_sku()
    ref = new_guest()
    numbers = []
    for _ in range(5):
        put(ref, "MUG")
        numbers.append(pay(fill(start(ref), ref), ref).order_number)
    found: list[str] = []
    cursor = ""
    while True:
        part = selectors.list_orders(principal=principal_of(ref), limit=2, cursor=cursor)
        found += [order.number for order in part.orders]
        cursor = part.next_cursor
        if not cursor:
            break
    assert found == numbers[::-1]
    assert selectors.list_orders(principal=principal_of(new_guest()), limit=2).orders == ()
