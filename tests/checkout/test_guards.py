"""What payments, webhooks and codes are guarded by: each guard is taken away, and what it keeps off happens.

These are the twins of tests in `test_paying`, `test_outcomes`, `test_webhooks` and `test_discounts`, where the guards
are in place: they show that those tests can see the fault.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from inventory import services as inventory
from inventory.models import StockItem
from shop.checkout import models, rules, services
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.models import Order, Payment
from shop.checkout.services import agreeing, paying
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import counters, make_sku, offline, outcome_of, pay, put, ready, set_price

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mug() -> None:
    make_sku(price=1_000)


def slow_payment() -> str:
    """Begin a payment that is undecided; give its id."""
    ref, view = ready()
    return pay(view, ref, "slow").payment_id


def bring(payment_id: str, *states: str, **changed: object) -> str:
    """Bring news of a payment in this order; tell its state then."""
    for state in states:
        services.apply_outcome(outcome=outcome_of(payment_id, PaymentState(state), **changed), now=clock.now())
    return Payment.objects.get(pk=payment_id).state


def test_without_the_price_lock_an_old_quote_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    ref, view = ready()
    models.Checkout.objects.update(lock_expires_at=clock.now() - timedelta(seconds=1))
    set_price("MUG", 1_500)

    monkeypatch.setattr(agreeing, "requote", lambda *_, **__: None)

    assert pay(view, ref).amount.minor == 1_000


def test_without_the_look_at_cart_and_total_something_is_charged_that_nobody_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ref, view = ready()
    make_sku("CUP")
    put(ref, "CUP")

    monkeypatch.setattr(paying, "require_agreed", lambda *_, **__: None)

    assert pay(view, ref, total=1).amount.minor == 1_000
    assert not Order.objects.get().lines.filter(sku_id="CUP").exists()


def test_without_precedence_the_order_of_arrival_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = slow_payment()

    monkeypatch.setattr(rules, "may_move", lambda *_: True)

    assert bring(payment_id, "succeeded", "refunded", "processing") == "processing"


def test_without_precedence_an_order_that_is_paid_is_refunded_when_its_news_comes_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment_id = slow_payment()

    monkeypatch.setattr(rules, "may_move", lambda *_: True)

    assert bring(payment_id, "succeeded", "succeeded") == "refund_due"
    assert Order.objects.count() == 1


@pytest.mark.parametrize("changed", [{"amount_minor": 1}, {"currency": "USD"}, {"account": "another"}])
def test_without_comparing_news_with_the_payment_wrong_money_makes_an_order(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    payment_id = slow_payment()

    monkeypatch.setattr(rules, "mismatch", lambda *_: "")

    assert bring(payment_id, "succeeded", **changed) == "succeeded"
    assert Order.objects.exists()


def test_without_comparing_news_with_the_payment_a_partial_refund_passes_for_a_whole_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment_id = slow_payment()
    bring(payment_id, "succeeded")

    monkeypatch.setattr(rules, "mismatch", lambda *_: "")

    assert bring(payment_id, "refunded", amount_minor=1) == "refunded"


def test_without_the_hard_reservation_a_late_success_orders_what_is_sold(monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = slow_payment()
    StockItem.objects.update(on_hand=1, reserved=1)

    monkeypatch.setattr(inventory, "commit", lambda **_: None)

    assert bring(payment_id, "succeeded") == "succeeded"
    assert counters() == (1, 1)


def test_without_the_check_of_signatures_anybody_says_what_was_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = slow_payment()
    body, _ = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())

    monkeypatch.setattr(FakeGateway, "verify", lambda *_, **__: None)
    services.receive_webhook(provider="fake", body=body, headers={}, now=clock.now())

    assert Order.objects.exists()
