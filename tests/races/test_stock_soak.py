"""Real processes do everything at once: afterwards nothing is lost, oversold or counted twice."""

from __future__ import annotations

import random
from contextlib import ExitStack

import pytest

from inventory import services as inventory
from inventory.models import Reservation, StockEntry
from tests.conftest import RunProcess
from tests.inventory.helpers import assert_balanced, counters, stock
from tests.races.soak import SKU_IDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

PROCESSES = 3
SECONDS = 3


def test_after_a_storm_of_processes_the_books_balance(run_process: RunProcess) -> None:
    stock(**dict.fromkeys(SKU_IDS, 40))
    seed = random.randint(0, 10**6)
    print(f"seed {seed}")  # noqa: T201 - to repeat a failure

    with ExitStack() as stack:
        rivals = [
            stack.enter_context(run_process(["python", "-m", "tests.races.soak", str(seed + number), str(SECONDS)]))
            for number in range(PROCESSES)
        ]
        for rival in rivals:
            assert rival.wait(seconds=60) == 0, rival.output()
            assert int(rival.output().split()[-1]) > 20, rival.output()

    assert_balanced()
    assert {"soft", "hard", "released", "expired"} >= set(Reservation.objects.values_list("state", flat=True))
    assert StockEntry.objects.filter(kind="sale").exists()
    for reservation_id in Reservation.objects.filter(state="soft").values_list("id", flat=True):
        inventory.release(reservation_id=reservation_id, cause="end of test")
    assert {reserved for _, reserved in counters().values()} == {0}
    assert_balanced()
