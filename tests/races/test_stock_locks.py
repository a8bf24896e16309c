"""Somebody keeps a stock row locked: those who wait are told so in time, and the process is free again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.errors import StockBusyError
from inventory.models import StockItem
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import held_open, running, wait_until_blocked
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def lock_mug() -> None:
    StockItem.objects.select_for_update().get(pk="MUG")


def wait_at_most(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {milliseconds}")


def test_a_locked_row_is_a_busy_answer_and_changes_nothing() -> None:
    stock(MUG=3)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    wait_at_most(100)

    with held_open(lock_mug):
        for act in (
            lambda: inventory.reserve(demands=demands(MUG=1), owner="chk_2"),
            lambda: inventory.commit(reservation_id=view.reservation_id),
            lambda: inventory.release(reservation_id=view.reservation_id, cause="cancelled"),
            lambda: inventory.adjust(sku_id="MUG", delta=1, reason="found", by=None),
        ):
            with pytest.raises(StockBusyError) as refused:
                act()
            assert refused.value.retry_after_seconds == 3

    assert states() == {view.reservation_id: "soft"}
    assert counters() == {"MUG": (3, 1)}
    assert_balanced()


def test_when_the_lock_is_gone_it_goes_on() -> None:
    stock(MUG=1)
    wait_at_most(100)
    with held_open(lock_mug), pytest.raises(StockBusyError):
        inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    assert counters() == {"MUG": (1, 1)}


def test_twin_without_a_lock_timeout_it_waits_for_as_long_as_the_row_is_locked() -> None:
    stock(MUG=1)

    def buy() -> None:
        wait_at_most(0)
        inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    with ExitStack() as later:
        with held_open(lock_mug):
            buyer = later.enter_context(running(buy))
            wait_until_blocked()
            with pytest.raises(TimeoutError):
                buyer.result(0.3)  # three times as long as it takes above
        buyer.result(PATIENCE_SECONDS)


def test_another_row_is_not_busy() -> None:
    stock(MUG=1, PLATE=1)
    wait_at_most(100)

    with held_open(lock_mug):
        inventory.reserve(demands=demands(PLATE=1), owner="chk_1")

    assert counters() == {"MUG": (1, 0), "PLATE": (1, 1)}
