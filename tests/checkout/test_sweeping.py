"""What the sweep finishes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shop.checkout import access, idempotency, models, services
from shop.core import clock
from tests.checkout.helpers import cart_of, counters, later, make_sku, new_guest, pay, put, ready, start

pytestmark = pytest.mark.django_db


def test_the_cart_of_an_order_is_cleared_when_the_process_died_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku("MUG")
    make_sku("BOWL")
    ref, view = ready(quantity=2)
    with monkeypatch.context() as patch:
        patch.setattr("shop.checkout.services.outcomes.finish_order", lambda **_: False)
        pay(view, ref)
    assert cart_of(ref) == {"MUG": 2}

    assert services.finish_checkouts(now=later(1)) == 0  # its own request may still be at it
    assert services.finish_checkouts(now=later(10)) == 1
    assert cart_of(ref) == {}
    put(ref, "BOWL")
    assert services.finish_checkouts(now=later(20)) == 0
    assert cart_of(ref) == {"BOWL": 1}


def test_a_checkout_untouched_for_a_day_ends_and_gives_back_what_it_has() -> None:
    make_sku()
    ref, view = ready()
    models.Checkout.objects.update(updated_at=clock.now() - timedelta(hours=25))
    services.finish_checkouts(now=clock.now())
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "expired"
    assert counters() == (50, 0)
    assert start(ref).checkout_id != view.checkout_id


def test_a_checkout_in_review_ends_when_its_pin_is_over() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "slow")
    models.Payment.objects.update(state="review", next_check_at=None)
    models.Checkout.objects.update(updated_at=clock.now() - timedelta(seconds=1_801))
    services.finish_checkouts(now=clock.now())
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "expired"


def test_a_checkout_with_a_running_payment_is_left_alone() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "slow")
    models.Checkout.objects.update(updated_at=clock.now() - timedelta(days=2))
    services.finish_checkouts(now=clock.now())
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "paying"


def test_old_answers_events_and_links_are_deleted_and_young_ones_stay() -> None:
    make_sku()
    ref, view = ready(new_guest())
    number = pay(view, ref).order_number
    access.issue_token(number=number, now=clock.now() - timedelta(days=91))
    young = access.issue_token(number=number, now=clock.now())
    idempotency.run(
        principal="g:1", route="POST /x", key="k", fingerprint="f", effect=lambda: idempotency.Answer(200, {})
    )
    services.process_webhooks()
    models.IdempotencyRecord.objects.update(created_at=clock.now() - timedelta(hours=25), lease_until=clock.now())
    models.WebhookEvent.objects.update(received_at=clock.now() - timedelta(days=31))

    services.finish_checkouts(now=clock.now() + timedelta(seconds=1))

    assert not models.IdempotencyRecord.objects.exists()
    assert not models.WebhookEvent.objects.exists()
    assert models.OrderToken.objects.count() == 1
    assert access.verify_token(token=young) == number
