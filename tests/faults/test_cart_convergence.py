"""Whatever dies, soon after it is healed PostgreSQL and Redis hold the same carts. Real processes."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.utils import timezone

from cart import auditing, recorder, selectors, services, stream
from cart.models import CartRecord
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities
from tests.conftest import RunningProcess, RunProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

CARTS = 40

CHANGE_AND_DIE = """
import os, signal, sys
import django
django.setup()
from cart import services, store
from cart.types import CartRef
from shop.core import clock
real = store.change
def applied_and_dead(**arguments):
    answer = real(**arguments)
    if answer.status == "ok":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
store.change = applied_and_dead
services.add_line(ref=CartRef("u", "1"), sku_id="MUG", quantity=1, now=clock.now(), operation_id=sys.argv[1])
"""


@contextmanager
def recording(run_process: RunProcess) -> Iterator[RunningProcess]:
    """Run a recorder."""
    with run_process([sys.executable, "manage.py", "record_cart_events"]) as process:
        process.wait_for("Recording cart events.")
        yield process


def change(rounds: int = 1, *, first: int = 1) -> None:
    """Change every cart."""
    for _ in range(rounds):
        for number in range(first, first + CARTS):
            services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)


def agree() -> None:
    """Wait until both hold the same carts, all of them."""

    def is_so() -> bool:
        later = timezone.now() + timedelta(minutes=1)
        return not auditing.list_disagreements(is_whole=True, now=later)

    wait_until(is_so)


def units() -> list[int]:
    """Tell how many units the records hold, by customer."""
    return list(CartRecord.objects.order_by("user_id").values_list("units", flat=True))


def test_a_killed_recorder_leaves_nothing_behind(run_process: RunProcess) -> None:
    make_sku(on_hand=50_000)
    with recording(run_process) as first, recording(run_process):
        change(2)
        # Killed in the middle of its work, with events in hand.
        os.kill(first.process.pid, signal.SIGKILL)
        change(2)
        agree()
    assert units() == [4] * CARTS


def test_events_that_a_killed_recorder_had_in_hand_are_recorded_by_another_within_ten_seconds(
    run_process: RunProcess, cart_redis: redis.Redis
) -> None:
    make_sku(on_hand=50_000)
    change()
    stream.make_groups()
    assert len(stream.read_new(consumer="killed", count=1_000)) == CARTS
    with recording(run_process):
        agree()
    # After so long they count as nobody's, and so often is looked for such.
    assert recorder.IDLE_MS / 1_000 + recorder.CLAIM_SECONDS < 10
    assert units() == [1] * CARTS


def test_flushall_amid_changes_leaves_both_in_agreement_and_no_acknowledged_record_behind(
    run_process: RunProcess, cart_redis: redis.Redis
) -> None:
    make_sku(on_hand=50_000)
    with recording(run_process):
        change()
        agree()
        cart_redis.flushdb()
        change()
        agree()
        assert units() == [2] * CARTS
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=1, now=NOW)
    assert quantities(selectors.get_cart(ref=guest)) == {"MUG": 1}


def test_a_worker_killed_after_the_script_has_applied_once_when_the_client_repeats(run_process: RunProcess) -> None:
    make_sku()
    with run_process([sys.executable, "-c", CHANGE_AND_DIE, "key-1"]) as process:
        assert process.wait() in (-9, 137), process.output()
    assert quantities(selectors.get_cart(ref=customer(1))) == {"MUG": 1}

    again = services.add_line(ref=customer(1), sku_id="MUG", quantity=1, now=NOW, operation_id="key-1")

    assert again.was_replayed
    assert quantities(again.cart) == {"MUG": 1}
    assert recorder.drain() == 1


def test_a_repeat_under_another_key_would_be_applied_again(run_process: RunProcess) -> None:
    """The twin."""
    make_sku()
    with run_process([sys.executable, "-c", CHANGE_AND_DIE, "key-1"]) as process:
        assert process.wait() in (-9, 137), process.output()

    again = services.add_line(ref=customer(1), sku_id="MUG", quantity=1, now=NOW, operation_id="key-2")

    assert not again.was_replayed
    assert quantities(again.cart) == {"MUG": 2}


def test_everything_at_once_ends_in_agreement(run_process: RunProcess, cart_redis: redis.Redis) -> None:
    make_sku(on_hand=50_000)
    chance = random.Random(7)
    stop = threading.Event()
    changes: list[int] = []
    failures: list[Exception] = []

    def shop(first: int) -> None:
        try:
            while not stop.is_set():
                number = chance.randrange(CARTS)
                services.set_quantity(ref=customer(first + number), sku_id="MUG", quantity=chance.randrange(9), now=NOW)
                changes.append(number)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=shop, args=(1 + n * CARTS,)) for n in range(2)]
    with recording(run_process) as first, recording(run_process):
        for thread in threads:
            thread.start()
        wait_until(lambda: len(changes) > 100)
        os.kill(first.process.pid, signal.SIGKILL)
        wait_until(lambda: len(changes) > 150)
        cart_redis.flushdb()
        wait_until(lambda: len(changes) > 250)
        stop.set()
        for thread in threads:
            thread.join()
        agree()
    assert failures == []
