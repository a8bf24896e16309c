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

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

PROCESSES = int(os.environ.get("STOCK_RANDOM_PROCESSES", "3"))
SECONDS = float(os.environ.get("STOCK_RANDOM_SECONDS", "4"))
SEED = int(os.environ.get("STOCK_RANDOM_SEED", "0")) or random.randint(1, 10**6)
KILL_EVERY = max(2.0, SECONDS / 6)


def test_after_a_storm_of_processes_the_books_balance(run_process: RunProcess) -> None:
    stock(**dict.fromkeys(SKU_IDS, 40), LAST=1)
    for sku_id in SKU_IDS[:2]:  # some carts pass a lane, some do not, some have two hot SKUs
        inventory.mark_hot(sku_id=sku_id, is_hot=True)
    print(f"seed {SEED}")  # noqa: T201 - to repeat a failure
    until = time.monotonic() + SECONDS

    with ExitStack() as stack:

        def begin(number: int) -> RunningProcess:
            left = max(1.0, until - time.monotonic())
            return stack.enter_context(
                run_process(["python", "-m", "tests.races.soak", str(SEED + number), f"{left:.1f}"])
            )

        rivals = [begin(number) for number in range(PROCESSES)]
        killed: list[RunningProcess] = []
        locations: list[str] = []
        kill_at = time.monotonic() + KILL_EVERY
        while time.monotonic() < until:
            time.sleep(min(1.0, SECONDS / 4))
            check()
            if until - time.monotonic() < SECONDS / 2 and not locations:
                locations = [opened(code) for code in ("shop", "annex")]
            if time.monotonic() > kill_at and len(killed) < PROCESSES * 4:
                kill_at += KILL_EVERY
                victim = rivals.pop(0)
                victim.process.send_signal(signal.SIGKILL)
                killed.append(victim)
                rivals.append(begin(PROCESSES + len(killed)))
        for rival in rivals:
            assert rival.wait() == 0, rival.output()
        # All came for the last unit as their time was up, 25 buyers each.
        assert sorted(rival.output().rpartition("got ")[2].strip() for rival in rivals)[-2:] == ["0", "1"]
        assert sum(int(rival.output().rpartition("got ")[2]) for rival in rivals) == counters()["LAST"][1] == 1
    assert killed
    assert locations

    check()
    assert ReservationShare.objects.exists()
    assert {"soft", "hard", "released", "expired"} >= set(Reservation.objects.values_list("state", flat=True))
    assert StockEntry.objects.filter(kind="sale").exists()
    for reservation_id in Reservation.objects.filter(state="soft").values_list("id", flat=True):
        inventory.release(reservation_id=reservation_id, cause="end of test")
    assert {reserved for _, reserved in counters().values()} == {0}
    assert_balanced()


def opened(code: str) -> str:
    """Open a location amid the storm, however long that waits for its turn."""
    be_patient()
    return inventory.open_location(code=code, name=code.title()).code


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
