"""What the provider says reaches us, whenever it comes and whoever dies on the way; and what guards that, off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from shop.checkout import services
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.models import FakeCharge, Order, Payment, WebhookEvent, WebhookState
from shop.checkout.services import reconciling, webhooks
from shop.core import clock
from tests.checkout.helpers import counters, later, make_sku, offline, outcome_of, pay, ready

pytestmark = [pytest.mark.django_db, pytest.mark.fault]

GUARDED = pytest.mark.parametrize("is_guarded", [True, False], ids=["", "twin"])


class ProcessDied(BaseException):
    """What nobody catches, as nobody catches a SIGKILL."""


def _die(*_: object, **__: object) -> None:
    raise ProcessDied


def _tell(payment_id: str) -> None:
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())


def _wait_out_the_lease() -> None:
    WebhookEvent.objects.update(next_try_at=clock.now() - timedelta(seconds=1))


def test_news_that_overtakes_the_answer_makes_the_order_and_the_answer_finds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_sku()
    ref, view = ready()
    true_charge = FakeGateway.charge

    def charge(self: FakeGateway, asked: Any) -> Any:
        answer = true_charge(self, asked)
        _tell(asked.key)
        assert Order.objects.count() == 1
        return answer

    monkeypatch.setattr(FakeGateway, "charge", charge)

    paid = pay(view, ref)

    assert paid.order_number == Order.objects.get().pk
    assert (FakeCharge.objects.count(), counters()) == (1, (49, 0))


@GUARDED
def test_news_that_comes_before_our_row_can_be_seen_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool
) -> None:
    make_sku()
    ref, view = ready()
    payment_id = pay(view, ref, "slow").payment_id
    Payment.objects.update(payment_id="pay_" + "0" * 24)
    body, headers = offline().message(outcome_of("pay_" + "0" * 24, key=payment_id), event_id="evt_1", at=clock.now())
    if not is_guarded:  # whoever knows no such payment is done with it
        monkeypatch.setattr(
            webhooks,
            "_again",
            lambda event, error: webhooks._end(event, WebhookState.PROCESSED, error, clock.now()),
        )

    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    Payment.objects.update(payment_id=payment_id)
    _wait_out_the_lease()
    services.process_webhooks()

    assert Order.objects.exists() is is_guarded


@GUARDED
def test_who_dies_over_an_event_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool) -> None:
    make_sku()
    ref, view = ready()
    payment_id = pay(view, ref, "slow").payment_id

    def marked_first(event_id: int, now: datetime) -> None:
        event = WebhookEvent.objects.get(pk=event_id)
        webhooks._end(event, WebhookState.PROCESSED, "", now)
        _die()

    with monkeypatch.context() as dying:
        dying.setattr(webhooks, "apply_outcome", _die)
        if not is_guarded:
            dying.setattr(webhooks, "_process", marked_first)
        with pytest.raises(ProcessDied):
            _tell(payment_id)
    assert WebhookEvent.objects.get().state == ("received" if is_guarded else "processed")
    assert services.process_webhooks() == 0  # while the lease lasts it may still be at work

    _wait_out_the_lease()
    services.process_webhooks()

    assert Order.objects.exists() is is_guarded


@GUARDED
def test_a_charge_whose_answer_was_lost_is_found_by_its_key_and_made_once(
    monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool
) -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref, "timeout_after_success")
    FakeCharge.objects.update(is_told=True)  # its webhook was lost as well
    if not is_guarded:  # nobody asks by the key, or reads the provider's books
        monkeypatch.setattr(FakeGateway, "find", lambda *_, **__: None)
        monkeypatch.setattr(reconciling, "_read_books", lambda _: 0)

    for seconds in (11, 61, 150, 300):
        services.reconcile_payments(now=later(seconds))

    assert [charge.state for charge in FakeCharge.objects.all()] == ["succeeded"]
    assert Order.objects.exists() is is_guarded
