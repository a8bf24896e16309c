"""Races for stock between real processes: buyers of the last unit, sweep against payment, one killed in the lane."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.models import Reservation, StockItem
from tests.conftest import RunningProcess, RunProcess, wait_until_nobody_asks
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.process import GATE
from tests.races.rivals import held_open, wait_until_blocked
from tests.races.test_stock_lane import ALL_AT_ONCE, TOGETHER, decided_by
from tests.races.test_stock_overselling import without_check

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

PATIENT = {"INVENTORY_LANE_WAIT_SECONDS": "60"}
"""A slow machine is not the fault that is looked for."""


@contextmanager
def at_the_gate(run_process: RunProcess, *commands: Sequence[str]) -> Iterator[list[RunningProcess]]:
    """Start processes and wait until all are ready; they begin when the block begins, and end with it."""
    with ExitStack() as stack:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_lock({GATE})")
            try:
                started = [
                    stack.enter_context(run_process(["python", "-m", "tests.races.process", *command], env=PATIENT))
                    for command in commands
                ]
                for process in started:
                    process.wait_for("ready")
            finally:
                cursor.execute(f"SELECT pg_advisory_unlock({GATE})")
        yield started


def told(process: RunningProcess) -> Counter[str]:
    assert process.wait(seconds=60) == 0, process.output()
    return Counter(json.loads(process.output().rpartition("told ")[2]))


def bought(run_process: RunProcess) -> Counter[str]:
    """Let 200 buyers in two processes, twenty at once, come for the last unit."""
    with at_the_gate(run_process, *[["buy", "MUG", "10", "10"]] * 2) as rivals:
        return told(rivals[0]) + told(rivals[1])


@pytest.mark.parametrize("is_hot", [False, True])
def test_of_200_buyers_in_two_processes_one_gets_the_last_unit(run_process: RunProcess, *, is_hot: bool) -> None:
    stock(MUG=1)
    inventory.mark_hot(sku_id="MUG", is_hot=is_hot)

    assert bought(run_process) == {"ReservationView": 1, "InsufficientStockError": 199}

    assert counters() == {"MUG": (1, 1)}
    assert_balanced()


def test_twin_decided_without_looking_many_get_it(run_process: RunProcess) -> None:
    stock(MUG=1)
    inventory.mark_hot(sku_id="MUG", is_hot=True)
    with without_check(), decided_by(TOGETHER.replace(ALL_AT_ONCE, "HAVING false")):
        assert bought(run_process)["ReservationView"] > 1


def test_a_payment_and_two_sweepers_in_three_processes_end_each_reservation_once(run_process: RunProcess) -> None:
    stock(MUG=60)
    owners = [f"chk_{number:02}" for number in range(60)]
    for owner in owners:
        inventory.reserve(demands=demands(MUG=1), owner=owner, ttl_seconds=0)

    with at_the_gate(run_process, ["sell", *owners], ["sweep"], ["sweep"]) as (seller, *sweepers):
        sold = told(seller)
        swept = sum(told(sweeper)["swept"] for sweeper in sweepers)

    ended = Counter(states().values())
    assert sold["ReservationView"] == ended["hard"]
    assert sold["ReservationExpiredError"] == ended["expired"] == swept
    assert ended["hard"] + ended["expired"] == 60
    assert counters() == {"MUG": (60 - ended["hard"], 0)}
    assert_balanced()


def test_a_process_that_is_killed_while_its_leader_decides_holds_up_nobody(run_process: RunProcess) -> None:
    stock(MUG=50)
    inventory.mark_hot(sku_id="MUG", is_hot=True)
    with ExitStack() as later:
        with held_open(lambda: list(StockItem.objects.select_for_update().filter(pk="MUG"))):
            rivals = later.enter_context(at_the_gate(run_process, *[["buy", "MUG", "6", "1"]] * 2))
            wait_until_blocked(rivals=2)  # the leader of each
            rivals[0].process.send_signal(signal.SIGKILL)
            rivals[0].wait()
        assert told(rivals[1]) == {"ReservationView": 6}

    # What the dead leader had sent may have been done: its own request, or those who were there by then.
    wait_until_nobody_asks()
    dead = Reservation.objects.exclude(owner__startswith=f"chk_{rivals[1].process.pid}_")
    assert dead.count() <= 6
    assert counters() == {"MUG": (50, 6 + dead.count())}
    assert_balanced()
