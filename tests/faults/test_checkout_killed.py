"""Processes killed in the middle of a payment: the money, the order and the cart come together afterwards."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from cart.types import CartRef
from inventory.models import Reservation
from shop.checkout import services
from shop.checkout.models import Checkout, FakeCharge, IdempotencyRecord, Order, Payment, WebhookEvent
from shop.checkout.types import CheckoutView
from shop.core import clock
from shop.core.ids import hash_token, new_token
from tests.api.helpers import Api
from tests.checkout.helpers import (
    cart_of,
    counters,
    later,
    make_sku,
    offline,
    outcome_of,
    pay,
    principal_of,
    put,
    ready,
    start,
)
from tests.conftest import RunProcess
from tests.ports import free_port

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PAY_AND_DIE = """
import os, signal, sys
import django
django.setup()
from shop.checkout import services
from shop.checkout.services import outcomes, settling
from shop.checkout.types import Principal
from shop.core import clock
where, checkout_id, owner, total = sys.argv[1:]
module, name = {"before_applying": (settling, "apply_outcome"), "before_clearing": (outcomes, "finish_order")}[where]
setattr(module, name, lambda **_: os.kill(os.getpid(), signal.SIGKILL))
services.pay(checkout_id=checkout_id, principal=Principal(owner=owner, user_id=None), method="fake",
             provider_token="ok", expected_total=int(total), key="k", now=clock.now())
"""


def pay_and_die(run_process: RunProcess, where: str, ref: CartRef, view: CheckoutView) -> None:
    """Pay in a process of its own that is killed at one point."""
    argv = [sys.executable, "-c", PAY_AND_DIE, where, view.checkout_id, ref.owner, str(view.total.minor)]
    with run_process(argv) as process:
        assert process.wait() in (-9, 137), process.output()


def test_killed_between_commit_and_clearing_the_sweep_clears_the_cart(run_process: RunProcess) -> None:
    make_sku()
    ref, view = ready()

    pay_and_die(run_process, "before_clearing", ref, view)

    assert Order.objects.count() == 1
    assert cart_of(ref) == {"MUG": 1}
    assert services.finish_checkouts(now=later(10)) == 1
    assert cart_of(ref) == {}
    assert counters() == (49, 0)


def test_killed_after_the_charge_reconciliation_makes_the_order(run_process: RunProcess) -> None:
    make_sku()
    ref, view = ready()

    pay_and_die(run_process, "before_applying", ref, view)

    assert (FakeCharge.objects.count(), Order.objects.count()) == (1, 0)
    assert Payment.objects.get().state == "created"
    services.reconcile_payments(now=later(11))
    assert Order.objects.count() == FakeCharge.objects.count() == 1
    assert cart_of(ref) == {}


def test_killed_after_the_charge_the_same_key_does_not_charge_again(run_process: RunProcess) -> None:
    make_sku()
    ref, view = ready()
    pay_and_die(run_process, "before_applying", ref, view)

    assert pay(view, ref, key="k").state.value == "created"

    assert FakeCharge.objects.count() == 1
    assert start(ref).state.value == "paying"
    payment = Payment.objects.get()
    found = services.check_payment(
        checkout_id=view.checkout_id, payment_id=payment.payment_id, principal=principal_of(ref), now=clock.now()
    )
    assert found.order_number


def test_with_the_carts_redis_down_a_payment_still_becomes_an_order_and_the_cart_is_cleared_later(
    settings: Settings,
) -> None:
    make_sku()
    ref, view = ready()
    payment = pay(view, ref, "slow")
    alive = settings.CART
    settings.CART = replace(alive, redis_url=f"redis://127.0.0.1:{free_port()}/0")

    body, headers = offline().message(outcome_of(payment.payment_id), event_id="evt_1", at=clock.now())
    services.receive_webhook(provider="fake", body=body, headers=headers, now=clock.now())

    assert Order.objects.get().cart_cleared_at is None
    assert WebhookEvent.objects.get().state == "processed"
    assert services.finish_checkouts(now=later(10)) == 0
    settings.CART = alive
    assert cart_of(ref) == {"MUG": 1}
    assert services.finish_checkouts(now=later(10)) == 1
    assert cart_of(ref) == {}


def test_with_the_carts_redis_down_paying_works(settings: Settings) -> None:
    make_sku()
    ref, view = ready()
    settings.CART = replace(settings.CART, redis_url=f"redis://127.0.0.1:{free_port()}/0")

    assert pay(view, ref).order_number
    assert Checkout.objects.get().state == "completed"


ASK_AND_DIE = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from django.test import Client
from shop.checkout import idempotency
from shop.checkout.api import edge, views
where, act, path, session, body = sys.argv[1:]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
settings.ALLOWED_HOSTS = ["testserver"]
if where == "claimed":
    setattr(views.services, act, die)
elif where == "done":
    idempotency.Answer = die
else:
    edge.Response = die
Client().post(path, body, content_type="application/json",
              headers={"Cart-Session": session, "Idempotency-Key": "one-intent", "If-Match": "*"})
"""


WHERE = pytest.mark.parametrize("where", ["claimed", "done", "stored"])
"""The key is claimed, nothing is done; it is done, but no answer kept; the answer is kept, but was never sent."""


def ask_and_die(run_process: RunProcess, where: str, act: str, path: str, token: str, body: dict[str, Any]) -> None:
    """Send a keyed request in a process of its own, which is killed at one of three points."""
    argv = [sys.executable, "-c", ASK_AND_DIE, where, act, path, token, json.dumps(body)]
    with run_process(argv) as process:
        assert process.wait() in (-9, 137), process.output()


@WHERE
def test_a_keyed_start_whose_worker_was_killed_is_repeated_with_one_checkout_and_one_answer(
    run_process: RunProcess, where: str
) -> None:
    make_sku()
    token = new_token()
    put(CartRef("g", hash_token(token)), "MUG", 2)
    ask_and_die(run_process, where, "start_checkout", "/api/v1/checkouts", token, {})
    assert Checkout.objects.count() == (0 if where == "claimed" else 1)

    api = Api(cart_session=token)
    if where != "stored":
        IdempotencyRecord.objects.update(lease_until=later(-1))  # the dead worker's lease runs out
    again = api("POST", "checkouts", {}, key="one-intent", If_Match="*")
    replayed = api("POST", "checkouts", {}, key="one-intent", If_Match="*")

    # What the dead worker had done is found, and is nothing new then.
    assert again.status_code == (200 if where == "done" else 201)
    assert again.json()["id"] == Checkout.objects.get().checkout_id
    assert again.headers.get("Idempotent-Replayed") == ("true" if where == "stored" else None)
    assert (replayed.json(), replayed.headers["Idempotent-Replayed"]) == (again.json(), "true")
    assert counters() == (50, 2)


@WHERE
def test_a_keyed_renewal_whose_worker_was_killed_is_repeated_and_adds_its_time_once(
    run_process: RunProcess, where: str
) -> None:
    make_sku()
    token = new_token()
    _, view = ready(CartRef("g", hash_token(token)))
    path = f"checkouts/{view.checkout_id}/reservation-renewals"
    ask_and_die(run_process, where, "renew", f"/api/v1/{path}", token, {})
    assert Reservation.objects.get().renewals == (0 if where == "claimed" else 1)

    api = Api(cart_session=token)
    if where != "stored":
        IdempotencyRecord.objects.update(lease_until=later(-1))  # the dead worker's lease runs out
    again = api("POST", path, {}, key="one-intent")
    another = api("POST", path, {}, key="another")

    left = view.renewals_left
    assert [answer.json()["reservation"]["renewals_left"] for answer in (again, another)] == [left - 1, left - 2]


def test_twin_a_renewal_that_forgets_its_key_adds_its_time_again(run_process: RunProcess) -> None:
    make_sku()
    token = new_token()
    _, view = ready(CartRef("g", hash_token(token)))
    path = f"checkouts/{view.checkout_id}/reservation-renewals"
    ask_and_die(run_process, "done", "renew", f"/api/v1/{path}", token, {})

    Checkout.objects.update(renewal_key="")
    IdempotencyRecord.objects.update(lease_until=later(-1))
    Api(cart_session=token)("POST", path, {}, key="one-intent")

    assert Reservation.objects.get().renewals == 2


@WHERE
def test_a_keyed_payment_whose_worker_was_killed_is_repeated_with_one_effect_and_one_answer(
    run_process: RunProcess, where: str
) -> None:
    make_sku()
    token = new_token()
    ref, view = ready(CartRef("g", hash_token(token)))
    path = f"/api/v1/checkouts/{view.checkout_id}/payments"
    body = {"method": "fake", "provider_token": "ok", "expected_total": view.total.minor}
    ask_and_die(run_process, where, "pay", path, token, body)
    assert Order.objects.count() == (0 if where == "claimed" else 1)

    api = Api(cart_session=token)
    if where != "stored":
        early = api("POST", path, body, key="one-intent")
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
        assert early.headers["Retry-After"]
        IdempotencyRecord.objects.update(lease_until=later(-1))  # the dead worker's lease runs out
    again = api("POST", path, body, key="one-intent")
    replayed = api("POST", path, body, key="one-intent")

    assert (again.status_code, again.json()["state"]) == (201, "succeeded")
    assert again.json()["order_number"] == Order.objects.get().number
    assert again.headers.get("Idempotent-Replayed") == ("true" if where == "stored" else None)
    assert (replayed.json(), replayed.headers["Idempotent-Replayed"]) == (again.json(), "true")
    assert FakeCharge.objects.count() == 1
    assert ref.owner == Order.objects.get().owner
    assert counters() == (49, 0)
