"""Carts with the same SKUs in opposite order: locks are taken in SKU order, so nobody waits in a ring."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from inventory import services as inventory
from inventory.conf import conf
from inventory.errors import InsufficientStockError
from inventory.models import StockItem
from inventory.services import heating, reserving
from inventory.types import StockDemand
from shop.core import db
from shop.core.errors import UnavailableError
from tests.inventory.helpers import assert_balanced, stock
from tests.races.rivals import held_open, meet, running, wait_until_blocked

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

SKU_IDS = [f"SKU-{number:02d}" for number in range(16)]
RIVALS = 16
ORDER = "ORDER BY s.sku_id FOR UPDATE"


def shop_for_a_while(number: int, rounds: int) -> int:
    """Reserve 12 of 16 SKUs and give them back, in a different order each time; how many reservations there were."""
    chance = random.Random(number)
    made = 0
    for turn in range(rounds):
        chosen = chance.sample(SKU_IDS, 12)
        try:
            view = inventory.reserve(
                demands=[StockDemand(sku_id, 1) for sku_id in chosen], owner=f"chk_{number}_{turn}", ttl_seconds=60
            )
        except InsufficientStockError:
            continue
        made += 1
        if turn % 2:
            inventory.release(reservation_id=view.reservation_id, cause="cancelled")
        else:
            inventory.commit(reservation_id=view.reservation_id)
    return made


def is_deadlock(error: UnavailableError) -> bool:
    return error.__cause__ is not None and db.sqlstate(error.__cause__) == db.DEADLOCK_DETECTED


def test_opposite_orders_never_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "TRIES", 1)  # a deadlock would be repeated, and not be seen here
    stock(**dict.fromkeys(SKU_IDS, 1_000))

    answers = meet(RIVALS, lambda number: shop_for_a_while(number, 25))

    assert answers == [25] * RIVALS
    assert_balanced()


def test_twin_unsorted_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "TRIES", 1)
    assert ORDER in reserving.RESERVE
    unsorted = reserving.RESERVE.replace(ORDER, "ORDER BY md5(s.sku_id || %(owner)s) FOR UPDATE")
    monkeypatch.setattr(reserving, "RESERVE", unsorted)
    stock(**dict.fromkeys(SKU_IDS, 100_000))

    def shop_and_notice(number: int) -> int:
        with connection.cursor() as cursor:
            # Where we may, do not wait a second before PostgreSQL looks for a ring.
            cursor.execute(
                "SELECT set_config('deadlock_timeout', '10ms', false) WHERE current_setting('is_superuser') = 'on'"
            )
        return shop_for_a_while(number, 25)

    for _ in range(10):
        answers = meet(RIVALS, shop_and_notice)
        if any(isinstance(answer, UnavailableError) and is_deadlock(answer) for answer in answers):
            return
    pytest.fail("the rivals never met: the test above shows nothing")


def marking_waits_holding_the_last(settings: Settings) -> bool:
    """Let a long wait mark both SKUs hot while somebody has locked the first; tell whether it holds the second one."""
    stock(LAMP=1, MUG=1)
    settings.INVENTORY = replace(conf(), hot_after_waits=1)

    def lock(sku_id: str) -> None:
        StockItem.objects.select_for_update(nowait=True).get(pk=sku_id)

    with ExitStack() as later, held_open(lambda: lock("LAMP")):
        marking = later.enter_context(running(lambda: heating.note_wait(["MUG", "LAMP"])))
        wait_until_blocked(unless=marking)
        assert not marking.done()
        try:
            with transaction.atomic():
                lock("MUG")
        except OperationalError:
            return True
    return False


def test_marking_hot_skus_locks_them_in_order_too(settings: Settings) -> None:
    assert not marking_waits_holding_the_last(settings)
    assert heating.find_hot(["MUG", "LAMP"]) == ("LAMP", "MUG")


def test_twin_in_another_order_marking_waits_with_a_lock_that_others_take_later(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert "ORDER BY sku_id FOR UPDATE" in heating.WARM
    monkeypatch.setattr(heating, "WARM", heating.WARM.replace("ORDER BY sku_id FOR", "ORDER BY sku_id DESC FOR"))
    assert marking_waits_holding_the_last(settings)
