"""A provider repeats itself without end, out of order, to real processes: all is acknowledged, and people shop on."""

from __future__ import annotations

import random
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from shop.checkout import services
from shop.checkout.models import Order, Payment, WebhookEvent
from shop.checkout.services import outcomes, webhooks
from shop.checkout.types import PaymentState
from shop.core import clock
from tests.checkout.helpers import counters, make_sku, offline, outcome_of, pay, ready
from tests.races.test_checkout_one_order import without_constraints

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

STATES = (PaymentState.PROCESSING, PaymentState.SUCCEEDED, PaymentState.FAILED)
Message = tuple[bytes, dict[str, str]]


def events_of(payment_id: str) -> list[Message]:
    """Sign five events of each kind about a payment."""
    return [
        offline().message(outcome_of(payment_id, state), event_id=f"evt_{state}_{number}", at=clock.now())
        for state in STATES
        for number in range(5)
    ]


def flood_of(events: list[Message]) -> list[Message]:
    """Repeat each event twenty times, all of them shuffled."""
    flood = events * 20
    random.Random(64).shuffle(flood)
    return flood


def waiting() -> str:
    make_sku()
    ref, view = ready()
    return pay(view, ref, "slow").payment_id


def test_a_flood_is_acknowledged_and_drained_while_others_browse(web_server: str) -> None:
    payment_id = waiting()
    events = events_of(payment_id)

    def post(message: Message) -> int:
        body, headers = message
        asked = urllib.request.Request(
            f"{web_server}/api/v1/webhooks/fake", body, {**headers, "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)

    def look(path: str) -> int:
        with urllib.request.urlopen(web_server + path, timeout=60) as answer:
            return int(answer.status)

    with ThreadPoolExecutor(8) as pool:
        told = pool.map(post, flood_of(events))
        seen = pool.map(look, ["/", "/cart/", "/api/v1/cart"] * 10)
        assert Counter(seen) == {200: 30}
        assert Counter(told) == {200: 300}
    services.process_webhooks(now=clock.now())

    assert WebhookEvent.objects.count() == len(events)
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert (Payment.objects.get().state, Order.objects.count()) == ("succeeded", 1)
    assert counters() == (49, 0)


@pytest.mark.parametrize("is_guarded", [True, False], ids=["", "twin"])
def test_each_event_of_a_flood_is_worked_off_once(monkeypatch: pytest.MonkeyPatch, *, is_guarded: bool) -> None:
    events = events_of(waiting())
    applied = []
    true_apply = outcomes.apply_outcome

    def apply(**news: object) -> outcomes.Applied:
        applied.append(news)
        return true_apply(**news)  # type: ignore[arg-type]

    def receive_all() -> None:
        for body, headers in flood_of(events):
            services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())

    monkeypatch.setattr(webhooks, "apply_outcome", apply)
    if is_guarded:
        receive_all()
        assert len(applied) == WebhookEvent.objects.count() == len(events)
        return
    guard = "ON CONFLICT (provider, event_id) DO NOTHING"
    assert guard in webhooks._INSERT
    monkeypatch.setattr(webhooks, "_INSERT", webhooks._INSERT.replace(guard, ""))
    with without_constraints("checkout_webhookevent", "one_row_a_webhook_event"):
        receive_all()
        assert len(applied) == WebhookEvent.objects.count() == len(events) * 20
