"""The connection is lost while a transaction commits: it did, but nobody was told. A repeat finds what was done."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from shop.checkout import models, services
from shop.checkout.models import FakeCharge, Order, Payment
from tests.checkout.helpers import cart_of, counters, later, make_sku, new_guest, pay, put, ready, start

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def lose_commit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the answer to one of the next commits, counted from 1, be lost together with the connection."""
    wrappers: Any = BaseDatabaseWrapper
    true_commit, seen = wrappers._commit, []

    def commit(wrapper: Any) -> None:
        true_commit(wrapper)
        seen.append(wrapper)
        if len(seen) == number:
            monkeypatch.setattr(BaseDatabaseWrapper, "_commit", true_commit)
            wrapper.connection.close()
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", commit)


def test_a_start_whose_commit_was_not_answered_is_found_by_its_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG", 2)
    lose_commit(monkeypatch, 1)
    with pytest.raises(OperationalError):
        start(ref)
    connection.close()

    view = start(ref)

    assert models.Checkout.objects.get().checkout_id == view.checkout_id
    assert counters() == (50, 2)


def test_a_payment_whose_beginning_was_not_answered_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    lose_commit(monkeypatch, 1)
    with pytest.raises(OperationalError):
        pay(view, ref, key="k")
    connection.close()

    assert pay(view, ref, key="k").payment_id == Payment.objects.get().payment_id
    assert not FakeCharge.objects.exists()  # the provider never heard of it
    services.reconcile_payments(now=later(90))

    assert Payment.objects.get().state == "failed"
    assert pay(view, ref, key="another").order_number == Order.objects.get().number
    assert counters() == (49, 0)


def test_an_order_whose_commit_was_not_answered_is_told_and_never_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    lose_commit(monkeypatch, 2)

    answers = [pay(view, ref, key="k"), pay(view, ref, key="k")]
    services.finish_checkouts(now=later(10))

    assert {answer.order_number for answer in answers} == {Order.objects.get().number}
    assert FakeCharge.objects.count() == 1
    assert counters() == (49, 0)
    assert cart_of(ref) == {}
