"""One cart, one order: two tabs, many presses of the button, webhook beside answer, parallel starts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.models import Reservation
from shop.checkout import models, services
from shop.checkout.models import FakeCharge, Order, Payment, WebhookEvent
from shop.checkout.services import living, ordering, paying, rows, starting
from shop.core import clock
from shop.core.errors import Refusal
from tests.checkout.helpers import (
    cart_of,
    counters,
    fill,
    make_sku,
    new_guest,
    offline,
    outcome_of,
    pay,
    principal_of,
    put,
    ready,
    start,
)
from tests.races.rivals import meet
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = 20
ROUNDS = 5


def told(answer: object) -> str:
    """Put an answer into one word."""
    return answer.code if isinstance(answer, Refusal) else str(getattr(answer, "state", answer))


def once_all_are_there(act: Callable[..., Any]) -> Callable[..., Any]:
    """Let the rivals have looked, all of them, before one of them acts on what it saw."""
    all_have_looked = threading.Barrier(RIVALS)

    def wait_and_act(*given: Any, **named: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            all_have_looked.wait(PATIENCE_SECONDS)
        return act(*given, **named)

    return wait_and_act


@contextmanager
def without_constraints(table: str, *names: str) -> Iterator[None]:
    """Drop unique constraints while the block runs; the table is emptied afterwards, with what hangs on it."""
    with connection.cursor() as cursor:
        definitions = []
        for name in names:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
            definitions.append(cursor.fetchone()[0])
            cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [name])
            is_constraint = cursor.fetchone() is not None
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}" if is_constraint else f"DROP INDEX {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
            for definition in definitions:
                cursor.execute(definition)


def test_many_presses_with_many_keys_charge_once_and_make_one_order() -> None:
    make_sku()
    for turn in range(ROUNDS):
        ref, view = ready()
        answers = Counter(told(a) for a in meet(RIVALS, lambda n: pay(view, ref, key=f"k{n}")))  # noqa: B023 - ends here

        assert set(answers) <= {"succeeded", "payment_in_progress"}, answers
        assert answers["succeeded"] >= 1
        assert Order.objects.count() == FakeCharge.objects.count() == turn + 1
        assert cart_of(ref) == {}
    assert counters() == (50 - ROUNDS, 0)


def test_many_presses_with_one_key_charge_once() -> None:
    make_sku()
    ref, view = ready()

    answers = {told(a) for a in meet(RIVALS, lambda _: pay(view, ref, key="same"))}

    assert answers <= {"succeeded", "created", "processing"}, answers
    assert Payment.objects.count() == FakeCharge.objects.count() == Order.objects.count() == 1


def test_twin_without_the_condition_on_the_state_charges_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    careless = paying._BEGIN.replace("AND state = 'open' ", "")
    assert careless != paying._BEGIN
    monkeypatch.setattr(paying, "_BEGIN", careless)
    monkeypatch.setattr(paying, "_begin", once_all_are_there(paying._begin))
    with without_constraints("checkout_payment", "one_running_payment_a_checkout"):
        meet(RIVALS, lambda n: pay(view, ref, "slow", key=f"k{n}"))
        assert FakeCharge.objects.count() > 1


def test_answer_webhook_and_reconciliation_at_once_make_one_order() -> None:
    make_sku()
    for turn in range(ROUNDS):
        ref, view = ready()
        payment = pay(view, ref, "slow")
        news = outcome_of(payment.payment_id)

        def bring(number: int) -> str:
            if number % 2:
                return str(services.apply_outcome(outcome=news, now=clock.now()).effect)  # noqa: B023 - ends here
            body, headers = offline().message(news, event_id=f"evt_{number}", at=clock.now())  # noqa: B023
            services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())
            return "received"

        answers = Counter(told(a) for a in meet(RIVALS, bring))
        assert set(answers) <= {"moved", "known", "received"}, answers
        assert Order.objects.count() == turn + 1
        assert cart_of(ref) == {}
    assert counters() == (50 - ROUNDS, 0)
    assert not WebhookEvent.objects.exclude(state="processed").exists()


def test_twin_without_lock_and_constraints_makes_many_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    news = outcome_of(payment.payment_id)

    careless = ordering._LOCK.replace("FOR NO KEY UPDATE", "")
    assert careless != ordering._LOCK
    monkeypatch.setattr(ordering, "_LOCK", careless)
    monkeypatch.setattr(ordering, "_refusal", once_all_are_there(lambda _: ""))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'checkout_order'::regclass AND contype = 'u'"
        )
        names = [row[0] for row in cursor.fetchall()]
    with without_constraints("checkout_order", *names):
        meet(RIVALS, lambda _: services.apply_outcome(outcome=news, now=clock.now()))
        assert Order.objects.count() > 1


def test_one_event_delivered_many_times_at_once_is_kept_once() -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    body, headers = offline().message(outcome_of(payment.payment_id), event_id="evt_1", at=clock.now())

    answers = meet(
        RIVALS,
        lambda _: services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now()),
    )

    assert answers == [None] * RIVALS
    assert WebhookEvent.objects.count() == Order.objects.count() == 1


def test_many_starts_of_one_cart_make_one_checkout_and_one_reservation() -> None:
    make_sku()
    for turn in range(ROUNDS):
        ref = new_guest()
        put(ref, "MUG", 2)

        answers = meet(RIVALS, lambda _: start(ref).checkout_id)  # noqa: B023 - ends here

        assert len(set(map(str, answers))) == 1, answers
        assert counters() == (50, 2 * (turn + 1))
    assert models.Checkout.objects.count() == ROUNDS


def test_twin_without_the_owners_turn_and_constraint_opens_many(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref = new_guest()
    put(ref, "MUG", 2)
    monkeypatch.setattr(rows, "serialize_owner", lambda _: None)
    monkeypatch.setattr(starting, "choose", once_all_are_there(living.choose))
    with without_constraints("checkout_checkout", "one_open_checkout_an_owner", "one_live_checkout_a_cart_content"):
        meet(RIVALS, lambda _: start(ref).checkout_id)
        assert models.Checkout.objects.count() > 1


def test_cancelling_and_paying_at_once_end_in_exactly_one_of_both() -> None:
    make_sku()
    for _ in range(ROUNDS):
        ref = new_guest()
        put(ref, "MUG")
        view = fill(start(ref), ref)
        on_hand, _ = counters()

        def act(number: int) -> str:
            if number % 2:
                return pay(view, ref, key=f"k{number}").state.value  # noqa: B023 - ends here
            services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())  # noqa: B023
            return "cancelled"

        answers = {told(a) for a in meet(8, act)}
        state = models.Checkout.objects.get(pk=view.checkout_id).state
        assert ("succeeded" in answers) == (state == "completed"), answers
        assert counters() == (on_hand - (state == "completed"), 0)


def test_the_sweep_and_a_late_success_at_once_leave_one_order_and_true_counters() -> None:
    make_sku()
    for turn in range(ROUNDS):
        ref, view = ready()
        payment = pay(view, ref, "slow")
        news = outcome_of(payment.payment_id)
        Reservation.objects.filter(state="soft").update(expires_at=clock.now() - timedelta(seconds=1))

        def act(number: int) -> object:
            return services.apply_outcome(outcome=news, now=clock.now()) if number % 4 == 0 else inventory.sweep()  # noqa: B023

        answers = meet(12, act)
        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        assert Order.objects.count() == turn + 1
        assert counters() == (49 - turn, 0)
