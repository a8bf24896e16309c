"""Two hundred checkouts pay with a code of few uses, in several processes, and two of those are killed amid it."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import AbstractContextManager, ExitStack

import pytest
from django.db import connection

from cart import services as carts
from cart.types import CartRef
from pricing import watching
from pricing.errors import CodeUsedUpError
from pricing.models import DiscountCode, Redemption
from shop.checkout import models, services
from shop.checkout.models import FakeCharge, Order, Payment
from shop.checkout.types import CheckoutView
from shop.core import clock
from tests.checkout.helpers import cart_of, counters, fill, later, make_sku, new_guest, pay, put, start
from tests.conftest import RunningProcess, RunProcess, wait_until_nobody_asks
from tests.races.process import GATE
from tests.races.rivals import wait_until_blocked
from tests.races.test_codes import make_code, without_check

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

CHECKOUTS = 200
USES = 7
FULL, REDUCED = 1_000, 800


def shoppers(count: int) -> list[tuple[CartRef, CheckoutView]]:
    """Bring so many guests with the code in their carts to the pay button."""
    make_sku("MUG", price=FULL, on_hand=count)
    make_code("ONCE20", max_uses=USES)
    found = []
    for _ in range(count):
        ref = new_guest()
        put(ref, "MUG")
        carts.apply_code(ref=ref, code="ONCE20", now=clock.now())
        found.append((ref, fill(start(ref), ref)))
    return found


def payers(run_process: RunProcess, first: int, step: int, how: str) -> AbstractContextManager[RunningProcess]:
    return run_process(["python", "-m", "tests.races.paying", str(first), str(step), how])


def told(process: RunningProcess) -> Counter[str]:
    assert process.wait() == 0, process.output()
    return Counter(json.loads(process.output().rpartition("told ")[2]))


def race(run_process: RunProcess, how: str) -> Counter[str]:
    """Let two processes pay all but two checkouts, together, behind two that hold a use and are killed then."""
    with ExitStack() as stack:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_lock({GATE})")
            try:
                rivals = [stack.enter_context(payers(run_process, first, 2, how)) for first in (2, 3)]
                for rival in rivals:
                    rival.wait_for("ready")
                victims = []
                for first, step in enumerate(("asking", "claimed")):
                    victims.append(stack.enter_context(payers(run_process, first, CHECKOUTS, step)))
                    victims[-1].wait_for(step)
            finally:
                cursor.execute(f"SELECT pg_advisory_unlock({GATE})")
        wait_until_blocked(rivals=4)
        for victim in victims:
            victim.process.send_signal(signal.SIGKILL)
            assert victim.wait() in (-9, 137), victim.output()
        answers = told(rivals[0]) + told(rivals[1])
    wait_until_nobody_asks()
    return answers


def test_of_200_checkouts_in_processes_that_are_killed_as_many_get_a_use_as_there_are(run_process: RunProcess) -> None:
    (asking, claimed, *others) = shoppers(CHECKOUTS)

    answers = race(run_process, "through")

    # One of the dead had a use for good, as far as anybody could tell by then; the other's was never there.
    assert answers == {"succeeded": USES - 1, "code_used_up": CHECKOUTS - 2 - (USES - 1)}
    assert Redemption.objects.filter(released_at=None).count() == DiscountCode.objects.get().used == USES
    assert sum(cart_of(ref) == {"MUG": 1} for ref, _ in others) == answers["code_used_up"]

    services.reconcile_payments(now=later(61))
    assert Payment.objects.get(checkout_id=asking[1].checkout_id).reason == "not_received"
    assert DiscountCode.objects.get().used == USES - 1
    assert pay(claimed[1], claimed[0]).state.value == "succeeded"
    with pytest.raises(CodeUsedUpError):
        pay(asking[1], asking[0])
    assert pay(start(asking[0], accepted_total=FULL), asking[0]).state.value == "succeeded"

    assert Counter(Order.objects.values_list("total_minor", flat=True)) == {REDUCED: USES, FULL: 1}
    assert Redemption.objects.exclude(order_number="").count() == DiscountCode.objects.get().used == USES
    assert FakeCharge.objects.count() == USES + 1
    assert counters() == (CHECKOUTS - USES - 1, CHECKOUTS - USES - 1)
    assert not watching.list_drifts()
    assert not watching.list_open_claims(older_than_seconds=0)
    assert not models.Checkout.objects.filter(state="paying").exists()


def test_twin_processes_that_ask_for_no_limit_use_it_more_often(run_process: RunProcess) -> None:
    shoppers(40)
    with without_check():
        assert race(run_process, "careless")["succeeded"] > USES
        assert DiscountCode.objects.get().used > USES
