"""The provider's webhooks: believed only if signed and timely, kept once, worked off in the end."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from shop.checkout import services
from shop.checkout.errors import WebhookRefusedError
from shop.checkout.gateways.port import Outcome
from shop.checkout.gateways.signing import sign
from shop.checkout.models import Order, Payment, WebhookEvent
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import counters, make_sku, offline, outcome_of, pay, ready

pytestmark = pytest.mark.django_db


def tell(outcome: Outcome, *, event_id: str = "evt_1", shift: int = 0) -> None:
    """Deliver a signed webhook, its clock off by `shift` seconds."""
    body, headers = offline().message(outcome, event_id=event_id, at=clock.now() + timedelta(seconds=shift))
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())


def waiting() -> str:
    """Make a payment that is undecided."""
    make_sku()
    ref, view = ready()
    return pay(view, ref, "slow").payment_id


def test_a_webhook_completes_the_order_at_once() -> None:
    payment_id = waiting()
    tell(outcome_of(payment_id))
    assert Order.objects.get().payment_id == payment_id
    assert WebhookEvent.objects.get().state == "processed"


def test_a_webhook_after_the_answer_changes_nothing() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref)
    tell(outcome_of(payment.payment_id))
    assert Order.objects.count() == 1
    assert WebhookEvent.objects.get().state == "processed"
    assert counters() == (49, 0)


def test_one_event_many_times_is_one_row_and_one_order() -> None:
    payment_id = waiting()
    for _ in range(5):
        tell(outcome_of(payment_id))
    assert WebhookEvent.objects.count() == 1
    assert Order.objects.count() == 1


def test_many_events_of_one_charge_make_one_order() -> None:
    payment_id = waiting()
    for number in range(5):
        tell(outcome_of(payment_id), event_id=f"evt_{number}")
    assert Order.objects.count() == 1
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_a_webhook_before_our_row_is_kept_and_tried_again() -> None:
    payment_id = waiting()
    early = outcome_of(payment_id)
    key = Payment.objects.get()
    Payment.objects.filter(pk=key.pk).update(payment_id="pay_" + "0" * 24)

    tell(early)

    event = WebhookEvent.objects.get()
    assert (event.state, event.error, event.attempts) == ("received", "payment_unknown", 1)
    Payment.objects.filter(pk="pay_" + "0" * 24).update(payment_id=payment_id)
    WebhookEvent.objects.update(next_try_at=clock.now())
    services.process_webhooks()
    assert Order.objects.count() == 1


def test_an_event_that_fits_nothing_is_parked_after_eight_tries_and_can_be_taken_up_again() -> None:
    payment_id = waiting()
    tell(outcome_of(payment_id, key="pay_" + "0" * 24))
    for _ in range(10):
        WebhookEvent.objects.filter(state="received").update(next_try_at=clock.now() - timedelta(seconds=1))
        services.process_webhooks()
    event = WebhookEvent.objects.get()
    assert (event.state, event.attempts) == ("parked", 8)

    services.retry_webhook(event_id=event.pk, now=clock.now() - timedelta(seconds=1))
    assert WebhookEvent.objects.get().state == "received"


def test_a_wrong_amount_is_answered_kept_and_parked() -> None:
    payment_id = waiting()
    tell(outcome_of(payment_id, amount_minor=1))
    event = WebhookEvent.objects.get()
    assert (event.state, event.error) == ("parked", "wrong_amount")
    assert Payment.objects.get().state == "review"
    assert not Order.objects.exists()


@pytest.mark.parametrize("kind", ["charge.disputed", "customer.created", "", 7, None])
def test_unknown_kinds_are_kept_and_parked(kind: object) -> None:
    body = json.dumps(
        {"id": "evt_9", "type": kind, "more": {"deep": [1]}, "data": {"key": "x", "amount": "1"}}
    ).encode()
    headers = {"Webhook-Signature": sign(body=body, secret="offline-gateway", at=clock.now())}
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    assert WebhookEvent.objects.get().state == "parked"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"id": 1}', b'{"id": ""}', b"\xff", b"[" * 100_000])
def test_signed_bodies_of_another_shape_are_refused(body: bytes) -> None:
    headers = {"Webhook-Signature": sign(body=body, secret="offline-gateway", at=clock.now())}
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("shift", [-301, 301, 86_400, -86_400])
def test_an_old_or_future_signature_is_refused(shift: int) -> None:
    payment_id = waiting()
    with pytest.raises(WebhookRefusedError):
        tell(outcome_of(payment_id), shift=shift)
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("shift", [-290, 290])
def test_a_clock_that_is_a_little_off_is_borne(shift: int) -> None:
    payment_id = waiting()
    tell(outcome_of(payment_id), shift=shift)
    assert Order.objects.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:0],
        lambda value: value.replace("v1=", "v0="),
        lambda value: value.split(",", maxsplit=1)[1],
        lambda value: value.split(",")[0] + ",v1=" + value.split("v1=")[1].upper(),
        lambda value: value[:-1],
        lambda value: value + "0",
        lambda value: "t=1," + value,
        lambda value: value.replace("t=", "t=-"),
        lambda value: value.replace("t=", "t=٣"),
        lambda value: value.split(",")[0] + ",v1=" + "0" * 64,
    ],
)
def test_a_bad_signature_is_refused(spoil: object) -> None:
    payment_id = waiting()
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())
    value = spoil(headers["Webhook-Signature"])  # type: ignore[operator]
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="fake", body=body, headers={"Webhook-Signature": value}, now=clock.now())
    assert not WebhookEvent.objects.exists()
    assert not Order.objects.exists()


def test_a_body_that_was_written_anew_is_refused() -> None:
    payment_id = waiting()
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())
    again = json.dumps(json.loads(body), separators=(",", ":")).encode()
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="fake", body=again, headers=headers, now=clock.now())


def test_one_good_signature_of_two_is_enough() -> None:
    payment_id = waiting()
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())
    value = headers["Webhook-Signature"].replace(",v1=", f",v1={'0' * 64},v1=")
    services.receive_webhook(provider="fake", body=body, headers={"webhook-signature": value}, now=clock.now())
    assert Order.objects.exists()


def test_both_secrets_are_good_during_rotation_and_only_then(settings: Settings) -> None:
    payment_id = waiting()
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())

    old = settings.CHECKOUT
    settings.CHECKOUT = replace(old, webhook_secret="brand-new")
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    settings.CHECKOUT = replace(old, webhook_secret="brand-new, offline-gateway")
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
    assert Order.objects.exists()


def test_an_unknown_provider_is_refused() -> None:
    payment_id = waiting()
    body, headers = offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())
    with pytest.raises(WebhookRefusedError):
        services.receive_webhook(provider="nobody", body=body, headers=headers, now=clock.now())


def test_the_gateways_own_webhooks_are_each_delivered_once() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref)
    services.process_webhooks()
    services.process_webhooks()
    event = WebhookEvent.objects.get()
    assert (event.kind, event.state) == ("charge.succeeded", "processed")


def test_an_event_whose_worker_died_is_taken_again() -> None:
    payment_id = waiting()
    tell(outcome_of(payment_id, key="pay_" + "0" * 24))
    WebhookEvent.objects.update(
        body=offline().message(outcome_of(payment_id), event_id="evt_1", at=clock.now())[0].decode(),
        next_try_at=clock.now() - timedelta(seconds=1),
    )
    services.process_webhooks()
    assert Order.objects.count() == 1


def test_an_event_that_breaks_us_holds_up_no_other() -> None:
    payment_id = waiting()
    good = outcome_of(payment_id)
    tell(replace(good, key="pay_" + "0" * 24), event_id="evt_bad")
    tell(replace(good, key="pay_" + "1" * 24), event_id="evt_good")
    body, _ = offline().message(good, event_id="evt_good", at=clock.now())
    WebhookEvent.objects.filter(event_id="evt_good").update(body=body.decode())
    WebhookEvent.objects.filter(event_id="evt_bad").update(provider="gone")
    WebhookEvent.objects.update(next_try_at=clock.now() - timedelta(seconds=1))

    services.process_webhooks()

    assert Order.objects.count() == 1
    assert WebhookEvent.objects.get(event_id="evt_bad").error == "KeyError"


def test_a_flood_of_old_events_in_any_order_is_acknowledged_cheaply_and_moves_nothing() -> None:
    payment_id = waiting()
    states = (PaymentState.PROCESSING, PaymentState.SUCCEEDED, PaymentState.FAILED)
    flood = [(f"evt_{state}_{number}", state) for state in states for number in range(5)]
    for event_id, state in flood:
        tell(outcome_of(payment_id, state), event_id=event_id)
    assert Order.objects.count() == 1
    shuffled = flood * 10
    random.Random(64).shuffle(shuffled)

    for event_id, state in shuffled:
        with CaptureQueriesContext(connection) as queries:
            tell(outcome_of(payment_id, state), event_id=event_id)
        assert len(queries) == 2  # one is `outcome_of` itself

    assert WebhookEvent.objects.count() == len(flood)
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert Payment.objects.get().state == "succeeded"
    assert Order.objects.count() == 1
    assert counters() == (49, 0)


@pytest.mark.parametrize("order", list(permutations(["processing", "succeeded", "refunded", "disputed"])))
def test_events_end_alike_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    payment_id = waiting()
    made = {
        "processing": outcome_of(payment_id, PaymentState.PROCESSING),
        "succeeded": outcome_of(payment_id),
        "refunded": outcome_of(payment_id, PaymentState.REFUNDED),
        "disputed": outcome_of(payment_id, PaymentState.REVIEW, reason="chargeback"),
    }
    for name in order:
        tell(made[name], event_id=f"evt_{name}")
    payment = Payment.objects.get()
    assert (payment.state, payment.reason) == ("review", "chargeback")
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
