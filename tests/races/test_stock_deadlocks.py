"""Carts with the same SKUs in opposite order: locks are taken in SKU order, so nobody waits in a ring."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

import pytest
from django.db import OperationalError, transaction
from pytest_django import Settings

from inventory.conf import conf
from inventory.models import StockItem
from inventory.services import heating
from tests.conftest import RunProcess
from tests.inventory.helpers import assert_balanced, stock
from tests.races.gate import at_the_gate, told
from tests.races.process import SKU_IDS
from tests.races.rivals import held_open, running, wait_until_blocked

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = [["shop", "8", "25"]] * 2
"""Two processes of eight threads, 25 carts each."""


def test_opposite_orders_never_deadlock(run_process: RunProcess) -> None:
    stock(**dict.fromkeys(SKU_IDS, 1_000))

    with at_the_gate(run_process, *RIVALS) as rivals:
        assert sum((told(rival) for rival in rivals), Counter()) == {"ReservationView": 400}

    assert_balanced()


def test_twin_unsorted_they_do(run_process: RunProcess) -> None:
    stock(**dict.fromkeys(SKU_IDS, 100_000))
    for _ in range(10):
        with at_the_gate(run_process, *RIVALS, careless="shop") as rivals:
            if sum((told(rival) for rival in rivals), Counter())["deadlock"]:
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
