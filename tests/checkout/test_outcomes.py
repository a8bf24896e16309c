"""News of a payment: late, twice, in any order, wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from inventory import services as inventory
from inventory.models import Reservation
from shop.checkout import models, services
from shop.checkout.errors import PaymentUnknownError
from shop.checkout.models import FakeCharge, Order, Payment
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import (
    cart_of,
    counters,
    later,
    make_sku,
    new_guest,
    offline,
    outcome_of,
    pay,
    principal_of,
    put,
    ready,
    reservation_state,
)
from tests.inventory.helpers import age

pytestmark = pytest.mark.django_db


def expire_reservations() -> None:
    """Let every reservation end now."""
    Reservation.objects.filter(state="soft").update(expires_at=clock.now() - timedelta(seconds=1))
    inventory.sweep()


def test_the_same_news_twice_changes_nothing() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")

    first = services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())
    second = services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    assert first.order_number
    assert (second.order_number, second.effect) == ("", "known")
    assert Order.objects.count() == 1
    assert counters() == (49, 0)


@pytest.mark.parametrize("order", list(permutations(["processing", "failed", "succeeded", "refunded"])))
def test_states_move_by_precedence_whatever_the_order_of_arrival(order: tuple[str, ...]) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")

    for state in order:
        services.apply_outcome(outcome=outcome_of(payment.payment_id, PaymentState(state)), now=clock.now())

    assert Payment.objects.get().state == "refunded"


@pytest.mark.parametrize("order", list(permutations(["processing", "failed", "succeeded"])))
def test_a_success_wins_over_a_failure_whatever_the_order_of_arrival(order: tuple[str, ...]) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")

    for state in order:
        services.apply_outcome(outcome=outcome_of(payment.payment_id, PaymentState(state)), now=clock.now())

    assert Payment.objects.get().state == "succeeded"
    assert Order.objects.count() == 1
    assert counters() == (49, 0)
    assert cart_of(ref) == {}


def test_a_late_success_reserves_again_while_stock_is_there() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    payment = pay(view, ref, "slow")
    expire_reservations()

    services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    assert Order.objects.count() == 1
    assert counters() == (0, 0)
    assert reservation_state(view) == "hard"


def test_a_success_that_comes_when_its_reservation_is_long_deleted_reserves_again() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    payment = pay(view, ref, "slow")
    expire_reservations()
    age(days=91)
    assert inventory.prune_reservations() == 1

    services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    assert Order.objects.count() == 1
    assert counters() == (0, 0)
    assert reservation_state(view) == "hard"


def test_a_late_success_without_stock_is_refunded_and_makes_no_order() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    payment = pay(view, ref, "slow")
    expire_reservations()
    rival, rivals = ready(new_guest())
    pay(rivals, rival)

    services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    row = Payment.objects.get(pk=payment.payment_id)
    assert (row.state, row.reason) == ("refund_due", "sold_out")
    assert Order.objects.count() == 1
    assert counters() == (0, 0)
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "open"
    assert cart_of(ref) == {"MUG": 1}
    FakeCharge.objects.filter(key=payment.payment_id).update(state="succeeded", settles_at=None)
    services.refund_payments(now=later(1))
    assert Payment.objects.get(pk=payment.payment_id).state == "refunded"
    assert FakeCharge.objects.get(key=payment.payment_id).state == "refunded"


def test_a_success_after_cancelling_is_refunded() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    services.apply_outcome(outcome=outcome_of(payment.payment_id, PaymentState.FAILED), now=clock.now())
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())

    services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("refund_due", "checkout_cancelled")
    assert counters() == (50, 0)


def test_a_second_charge_of_an_ordered_checkout_is_refunded() -> None:
    make_sku()
    ref, view = ready()
    first = pay(view, ref, "slow", key="1")
    services.apply_outcome(outcome=outcome_of(first.payment_id, PaymentState.FAILED), now=clock.now())
    second = pay(view, ref, "ok", key="2")

    services.apply_outcome(outcome=outcome_of(first.payment_id), now=clock.now())

    assert Order.objects.get().payment_id == second.payment_id
    row = Payment.objects.get(pk=first.payment_id)
    assert (row.state, row.reason) == ("refund_due", "ordered_already")
    assert counters() == (49, 0)


def test_a_success_for_a_quote_that_was_replaced_is_refunded() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref, view = ready()
    payment = pay(view, ref, "slow")
    services.apply_outcome(outcome=outcome_of(payment.payment_id, PaymentState.FAILED), now=clock.now())
    put(ref, "BOWL", 1)
    services.start_checkout(
        ref=ref, principal=principal_of(ref), accepted_total=None, expected_cart_version=None, now=clock.now()
    )

    services.apply_outcome(outcome=outcome_of(payment.payment_id), now=clock.now())

    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("refund_due", "quote_replaced")
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"amount_minor": 1}, "wrong_amount"),
        ({"currency": "USD"}, "wrong_currency"),
        ({"currency": "gbp"}, "wrong_currency"),
        ({"checkout_id": "chk_" + "0" * 24}, "wrong_checkout"),
        ({"account": "another"}, "wrong_account"),
        ({"is_live": True}, "wrong_mode"),
    ],
)
def test_news_that_contradicts_the_payment_makes_no_order_and_asks_for_review(
    changed: dict[str, Any], reason: str
) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")

    applied = services.apply_outcome(outcome=replace(outcome_of(payment.payment_id), **changed), now=clock.now())

    assert (applied.effect, applied.reason) == ("mismatched", reason)
    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("review", reason)
    assert not Order.objects.exists()
    assert counters() == (50, 1)


def test_news_that_contradicts_a_paid_order_leaves_it_alone() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref)

    services.apply_outcome(outcome=outcome_of(payment.payment_id, amount_minor=99_999), now=clock.now())

    assert Payment.objects.get().state == "succeeded"


@pytest.mark.parametrize("amount", [99_999, 1])
def test_a_refund_of_another_amount_is_for_people_and_puts_no_stock_back(amount: int) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref)
    refund = outcome_of(payment.payment_id, PaymentState.REFUNDED, amount_minor=amount)

    for _ in range(2):
        services.apply_outcome(outcome=refund, now=clock.now())

    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("review", "wrong_amount")
    assert Order.objects.count() == 1
    assert counters() == (49, 0)


def test_a_chargeback_is_for_people_even_if_it_names_the_providers_reference_only() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref)
    reference = Payment.objects.get().provider_reference

    services.apply_outcome(
        outcome=outcome_of(
            payment.payment_id,
            PaymentState.REVIEW,
            key="",
            reference=reference,
            checkout_id="",
            amount_minor=500,
            reason="chargeback",
        ),
        now=clock.now(),
    )

    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("review", "chargeback")
    assert Order.objects.count() == 1
    assert counters() == (49, 0)


def test_news_of_a_payment_that_is_none_of_ours_is_unknown() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")

    with pytest.raises(PaymentUnknownError):
        services.apply_outcome(
            outcome=outcome_of(payment.payment_id, key="pay_" + "0" * 24),
            now=clock.now(),
        )


def test_reconciliation_finds_a_charge_whose_answer_was_lost_with_the_process() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    Payment.objects.update(state="created", next_check_at=None)  # as if the process had died while asking
    FakeCharge.objects.update(state="succeeded", settles_at=None)

    services.reconcile_payments(now=later(1))

    assert Order.objects.get().payment_id == payment.payment_id


def test_a_payment_that_never_reached_the_provider_is_failed_after_a_minute() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    FakeCharge.objects.all().delete()

    services.reconcile_payments(now=later(30))
    assert Payment.objects.get().state == "processing"
    services.reconcile_payments(now=later(90))

    row = Payment.objects.get(pk=payment.payment_id)
    assert (row.state, row.reason) == ("failed", "not_received")
    assert counters() == (50, 0)


def test_a_refund_is_made_once_however_often_it_is_asked_for() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref)

    first = offline().refund(key=payment.payment_id)
    second = offline().refund(key=payment.payment_id)

    assert first == second
    assert first.state is PaymentState.REFUNDED
