"""Real processes do everything at once, and some are killed: nothing is lost, oversold or counted twice, at any time.

`STOCK_RANDOM_SECONDS=60 STOCK_RANDOM_PROCESSES=8 pytest tests/races/test_stock_soak.py -n0 -s` is the long variant.
Halfway the shop opens two locations. Seeds are printed; `STOCK_RANDOM_SEED` repeats what each process wants to do (not
how they meet).
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.models import Reservation, ReservationShare, StockEntry
from inventory.places import list_place_drifts
from inventory.watching import list_drifts
from tests.conftest import RunningProcess, RunProcess
from tests.inventory.helpers import assert_balanced, counters, stock
from tests.races.rivals import be_patient
from tests.races.soak import SKU_IDS
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

PROCESSES = int(os.environ.get("STOCK_RANDOM_PROCESSES", "3"))
SECONDS = float(os.environ.get("STOCK_RANDOM_SECONDS", "0"))
SEED = int(os.environ.get("STOCK_RANDOM_SEED", "0")) or random.randint(1, 10**6)
TURNS, ACTS = 4, 15
"""How often everything is looked at, at least, and how much each process does before."""


def test_after_a_storm_of_processes_the_books_balance(run_process: RunProcess, tmp_path: Path) -> None:
    stock(**dict.fromkeys(SKU_IDS, 40), LAST=1)
    for sku_id in SKU_IDS[:2]:  # some carts pass a lane, some do not, some have two hot SKUs
        inventory.mark_hot(sku_id=sku_id, is_hot=True)
    print(f"seed {SEED}")  # noqa: T201 - to repeat a failure
    stop, until = tmp_path / "stop", time.monotonic() + SECONDS

    with ExitStack() as stack:

        def begin(number: int) -> RunningProcess:
            return stack.enter_context(run_process(["python", "-m", "tests.races.soak", str(SEED + number), str(stop)]))

        rivals = [begin(number) for number in range(PROCESSES)]
        killed: list[RunningProcess] = []
        turn = 0
        while turn < TURNS or time.monotonic() < until or not all_has_happened():
            turn += 1
            assert time.monotonic() < until + PATIENCE_SECONDS
            for rival, done in [(rival, acts(rival)) for rival in rivals]:
                wait_until(lambda rival=rival, done=done: acts(rival) >= done + ACTS, rival.output())  # type: ignore[misc]
            check()
            if turn == 2:
                for code in ("shop", "annex"):
                    open_location(code)
            if turn % TURNS == 2 and len(killed) < PROCESSES * 4:
                victim = rivals.pop(0)
                victim.process.send_signal(signal.SIGKILL)
                killed.append(victim)
                rivals.append(begin(PROCESSES + len(killed)))
        stop.touch()
        for rival in rivals:
            assert rival.wait() == 0, rival.output()
        # All came for the last unit when they were told to stop, 25 buyers each.
        assert sum(int(rival.output().rpartition("got ")[2]) for rival in rivals) == counters()["LAST"][1] == 1
    assert killed

    check()
    assert {"soft", "hard", "released", "expired"} >= set(Reservation.objects.values_list("state", flat=True))
    for reservation_id in Reservation.objects.filter(state="soft").values_list("id", flat=True):
        inventory.release(reservation_id=reservation_id, cause="end of test")
    assert {reserved for _, reserved in counters().values()} == {0}
    assert_balanced()


def acts(rival: RunningProcess) -> int:
    return rival.output().count("done")


def all_has_happened() -> bool:
    """Tell whether units were sold, and reserved in more than one location."""
    return ReservationShare.objects.exists() and StockEntry.objects.filter(kind="sale").exists()


def open_location(code: str) -> None:
    """Open a location amid the storm, however long that waits for its turn."""
    be_patient()
    inventory.open_location(code=code, name=code.title())


def check() -> None:
    """See each invariant in one moment: no drift, nothing oversold, the ledger's lines follow one another."""
    assert list_drifts() == ()
    assert list_place_drifts() == list_place_drifts(is_whole=False) == ()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sku_id, on_hand, reserved FROM inventory_stockitem WHERE reserved NOT BETWEEN 0 AND on_hand"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT id FROM (SELECT id, on_hand_after, sum(delta) OVER (PARTITION BY sku_id ORDER BY id) AS booked"
            " FROM inventory_stockentry) e WHERE on_hand_after <> booked"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT owner FROM inventory_reservation WHERE state = 'soft' GROUP BY owner HAVING count(*) > 1"
        )
        assert cursor.fetchall() == []
