"""Whoever's money is given back is told so once, and why, whichever way it came about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pgtrigger
import pytest
from django.core import mail
from django.db import transaction

from notifications.models import Cursor
from shop.checkout import models, services
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import later, make_sku, new_guest, outcome_of, pay, principal_of, put, ready, start
from tests.checkout.test_outcomes import expire_reservations
from tests.checkout.test_uses_end_once import claimed, make_code
from tests.notifications.test_order_mail import run

pytestmark = pytest.mark.django_db


def news(payment_id: str, state: PaymentState = PaymentState.SUCCEEDED) -> None:
    """Hear from the provider."""
    services.apply_outcome(outcome=outcome_of(payment_id, state), now=clock.now())


def sold_out() -> None:
    """Pay when the last unit has gone to another."""
    ref, view = ready()
    late = pay(view, ref, "slow")
    expire_reservations()
    models.CheckoutLine.objects.update(quantity=51)
    news(late.payment_id)


def paid_twice() -> None:
    """Pay twice for one cart."""
    ref, view = ready()
    first = pay(view, ref, "slow", key="1")
    news(first.payment_id, PaymentState.FAILED)
    pay(view, ref, "ok", key="2")
    news(first.payment_id)


def cancelled() -> None:
    """Pay for what was cancelled."""
    ref, view = ready()
    late = pay(view, ref, "slow")
    news(late.payment_id, PaymentState.FAILED)
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    news(late.payment_id)


def replaced() -> None:
    """Pay a quote that another one has replaced."""
    make_sku("BOWL", price=900)
    ref, view = ready()
    late = pay(view, ref, "slow")
    news(late.payment_id, PaymentState.FAILED)
    put(ref, "BOWL", 1)
    start(ref)
    news(late.payment_id)


def by_staff() -> None:
    """Get the money of an order back from staff."""
    ref, view = ready()
    paid = pay(view, ref)
    with transaction.atomic():
        services.ask_refund(payment_id=paid.payment_id, reason="Broken", by=1, now=clock.now())


def by_staff_in_two() -> None:
    """Get so much back that two members of staff have to agree."""
    ref, view = ready()
    paid = pay(view, ref)
    with transaction.atomic():
        models.RefundRequest.objects.create(
            payment_id=paid.payment_id, reason="Broken", asked_by=1, asked_at=clock.now(), needs_second=True
        )
        request = models.RefundRequest.objects.get()
        services.decide_refund(request_id=request.pk, approve=True, by=2, now=clock.now())


def by_provider() -> None:
    """Get the money of an order back that somebody refunded on the provider's own pages."""
    ref, view = ready()
    paid = pay(view, ref)
    models.Payment.objects.update(settled_at=clock.now() - timedelta(days=3))  # refunded days after it was paid
    news(paid.payment_id, PaymentState.REFUNDED)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (sold_out, "what it was for had gone to somebody else"),
        (paid_twice, "this payment was one too many"),
        (cancelled, "after its checkout was cancelled or changed"),
        (replaced, "after its checkout was cancelled or changed"),
        (by_staff, "your payment for the order ord_"),
        (by_staff_in_two, "your payment for the order ord_"),
        (by_provider, "your payment for the order ord_"),
    ],
)
def test_every_refund_is_told_once_with_its_reason(happens: Callable[[], None], why: str) -> None:
    make_sku()
    ref, view = ready(new_guest())
    pay(view, ref)
    run()
    Cursor.objects.update(position_at=clock.now())  # the sweep has come so far already
    mail.outbox.clear()
    happens()
    run()
    services.refund_payments(now=later(1))
    run(2)

    told = [sent for sent in mail.outbox if "refund" in sent.subject]
    assert [sent.subject for sent in told] == ["We are refunding £12.00"]
    assert why in str(told[0].body)
    assert "We are refunding £12.00 in full." in str(told[0].body)
    assert "Broken" not in str(told[0].body)  # staff write their reasons for staff


def test_money_for_a_code_that_others_used_up_meanwhile_is_given_back_and_told_as_what_it_is() -> None:
    make_sku()
    make_code(max_uses=1)
    _, _, late = claimed()
    news(late, PaymentState.FAILED)  # its use is free again
    _, _, other = claimed()
    news(other)
    news(late)  # the provider took the money all the same

    run()

    refund = models.Payment.objects.get(pk=late)
    assert (refund.state, refund.reason) == ("refund_due", "code_used_up")
    told = [str(sent.body) for sent in mail.outbox if sent.subject.startswith("We are refunding")]
    assert len(told) == 1
    assert "the discount in its price had been used up" in told[0]


def test_a_promotion_that_was_used_up_is_told_as_what_it_is() -> None:
    make_sku()
    ref, view = ready()
    late = pay(view, ref, "slow")
    models.Payment.objects.filter(pk=late.payment_id).update(
        state=PaymentState.REFUND_DUE.value, reason="promotion_used_up", settled_at=clock.now()
    )
    assert run() == 1
    assert "the discount in its price had been used up" in str(mail.outbox[0].body)


def test_an_order_for_nothing_that_cannot_be_placed_is_told_and_holds_up_no_refund() -> None:
    make_sku()
    for _ in range(2):
        ref, view = ready()
        late = pay(view, ref, "slow")
        news(late.payment_id, PaymentState.FAILED)
        services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
        news(late.payment_id)
    free = models.Payment.objects.order_by("pk")[0]
    # A payment's terms cannot be changed: this one is written as if it had been for nothing from the start.

    with pgtrigger.ignore("checkout.Payment:payment_terms_fixed"):
        models.Payment.objects.filter(pk=free.pk).update(provider="none", amount_minor=0)
    run()
    assert {sent.subject for sent in mail.outbox} == {"We could not place your order", "We are refunding £12.00"}
    assert "you were charged nothing" in next(str(sent.body) for sent in mail.outbox if "could not" in sent.subject)
    models.FakeCharge.objects.update(state="succeeded", settles_at=None)
    assert services.refund_payments(now=later(1)) == 2
    assert set(models.Payment.objects.values_list("state", flat=True)) == {"refunded"}
