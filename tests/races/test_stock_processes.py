"""Races for stock between real processes: who buys, sells, sweeps, renews, gives back, counts, or is killed meanwhile.

Loose races let many meet as they will; where a twin has to see the fault with certainty, this process keeps one side's
transaction open while another process comes upon it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.errors import ReservationExpiredError
from inventory.models import Reservation, StockItem
from tests.conftest import RunProcess, wait_until_nobody_asks
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.gate import at_the_gate, told
from tests.races.rivals import held_open, wait_until_blocked
from tests.races.test_stock_lane import ALL_AT_ONCE, TOGETHER, decided_by
from tests.races.test_stock_overselling import without_check
from tests.waiting import wait_until

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ROUNDS = int(os.environ.get("STOCK_ROUNDS", "60"))
"""Reservations of a loose race; `STOCK_ROUNDS=1000` takes some seconds."""
OWNERS = [f"chk_{number:04}" for number in range(ROUNDS)]


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


def reserve_for_all(*, ttl_seconds: int = 600) -> None:
    stock(MUG=ROUNDS)
    for owner in OWNERS:
        inventory.reserve(demands=demands(MUG=1), owner=owner, ttl_seconds=ttl_seconds)


def test_a_payment_and_two_sweepers_in_three_processes_end_each_reservation_once(run_process: RunProcess) -> None:
    reserve_for_all(ttl_seconds=0)

    # The sweepers come from the oldest, the seller from the newest: they meet in the middle.
    with at_the_gate(run_process, ["sell", *OWNERS[::-1]], ["sweep"], ["sweep"]) as (seller, *sweepers):
        sold = told(seller)
        swept = sum(told(sweeper)["swept"] for sweeper in sweepers)

    ended = Counter(states().values())
    assert sold["ReservationView"] == ended["hard"]
    assert sold["ReservationExpiredError"] == ended["expired"] == swept
    assert ended["hard"] + ended["expired"] == ROUNDS
    assert counters() == {"MUG": (ROUNDS - ended["hard"], 0)}
    assert_balanced()


def test_renewals_and_two_sweepers_in_three_processes_keep_or_end_each_reservation(run_process: RunProcess) -> None:
    reserve_for_all()

    with at_the_gate(run_process, ["renew", *OWNERS], ["sweep"], ["sweep"]) as (renewer, *sweepers):
        renewed = told(renewer)
        swept = sum(told(sweeper)["swept"] for sweeper in sweepers)

    ended = Counter(states().values())
    assert renewed["ReservationView"] == ended["soft"] == Reservation.objects.filter(renewals=1, state="soft").count()
    assert renewed["ReservationExpiredError"] == ended["expired"] == swept
    assert ended["soft"] + ended["expired"] == ROUNDS
    assert counters() == {"MUG": (ROUNDS, ended["soft"])}
    assert_balanced()


def released_by_two(run_process: RunProcess, *, careless: str = "") -> Counter[str]:
    reserve_for_all()
    with at_the_gate(run_process, *[["release", *OWNERS]] * 2, careless=careless) as rivals:
        return told(rivals[0]) + told(rivals[1])


def test_two_processes_that_release_the_same_give_its_units_back_once(run_process: RunProcess) -> None:
    assert released_by_two(run_process) == {"True": ROUNDS, "False": ROUNDS}

    assert set(states().values()) == {"released"}
    assert counters() == {"MUG": (ROUNDS, 0)}
    assert_balanced()


def test_twin_who_does_not_ask_whether_it_is_over_meets_the_trigger(run_process: RunProcess) -> None:
    assert released_by_two(run_process, careless="release")["ProgrammingError"] == ROUNDS


def test_sales_and_counts_in_two_processes_add_up(run_process: RunProcess) -> None:
    reserve_for_all()

    with at_the_gate(run_process, ["sell", *OWNERS], ["count", "MUG", str(ROUNDS)]) as (seller, counter):
        assert told(seller) == {"ReservationView": ROUNDS}
        assert told(counter) == {"int": ROUNDS}

    assert counters() == {"MUG": (ROUNDS, 0)}
    assert_balanced()


def come_upon(run_process: RunProcess, held: Callable[[], object], *command: str, careless: str = "") -> Counter[str]:
    """Let a process come upon what this one has done and not committed, and wait for it; give what the process told."""
    with ExitStack() as later:
        with held_open(held):
            (rival,) = later.enter_context(at_the_gate(run_process, command, careless=careless))
            wait_until_blocked()
        return told(rival)


def test_a_process_that_sells_what_another_sweeps_is_refused(run_process: RunProcess) -> None:
    stock(MUG=1)
    inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)

    assert come_upon(run_process, inventory.sweep, "sell", "chk_1") == {"ReservationExpiredError": 1}

    assert counters() == {"MUG": (1, 0)}
    assert_balanced()


def test_twin_that_sells_without_asking_for_the_state_meets_the_trigger(run_process: RunProcess) -> None:
    stock(MUG=1)
    inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)

    assert come_upon(run_process, inventory.sweep, "sell", "chk_1", careless="sell") == {"ProgrammingError": 1}


def swept_amid_a_renewal(run_process: RunProcess, *, careless: str = "") -> int:
    """Let another process sweep past a reservation's old end before its renewal is committed; how many it swept."""
    stock(MUG=2)
    for ttl_seconds in (1, 5, 20):
        renewed, other = (
            inventory.reserve(demands=demands(MUG=1), owner=f"chk_{n}", ttl_seconds=ttl_seconds) for n in (1, 2)
        )
        try:
            with ExitStack() as later:
                with held_open(lambda view=renewed: inventory.renew(reservation_id=view.reservation_id)):  # type: ignore[misc]
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT pg_sleep_until(%s)", [other.expires_at])
                    (sweeper,) = later.enter_context(at_the_gate(run_process, ["sweep"], careless=careless))
                    if careless:
                        wait_until_blocked()
                    else:  # it passes over the first, which is locked, to the other one
                        wait_until(lambda view=other: states()[view.reservation_id] == "expired")  # type: ignore[misc]
                return told(sweeper)["swept"]
        except ReservationExpiredError:
            continue  # this machine is so slow that the renewal came too late
    pytest.fail("no renewal came in time")


def test_a_process_that_sweeps_past_a_renewal_leaves_it_alone(run_process: RunProcess) -> None:
    assert swept_amid_a_renewal(run_process) == 1

    assert Reservation.objects.get(state="soft").renewals == 1
    assert counters() == {"MUG": (2, 1)}
    assert_balanced()


def test_twin_a_sweep_that_does_not_lock_what_is_due_takes_renewed_time_away(run_process: RunProcess) -> None:
    assert swept_amid_a_renewal(run_process, careless="sweep") == 2


def counted_amid_a_sale(run_process: RunProcess, *, careless: str = "") -> None:
    stock(MUG=9)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    sale = lambda: inventory.commit(reservation_id=view.reservation_id)  # noqa: E731
    assert come_upon(run_process, sale, "count", "MUG", "1", careless=careless) == {"int": 1}


def test_a_process_that_counts_amid_a_sale_keeps_what_was_sold_sold(run_process: RunProcess) -> None:
    counted_amid_a_sale(run_process)

    assert counters() == {"MUG": (8, 0)}
    assert_balanced()


def test_twin_a_count_that_adds_to_what_it_read_puts_sold_units_back(run_process: RunProcess) -> None:
    counted_amid_a_sale(run_process, careless="count")

    assert counters() == {"MUG": (10, 0)}
    with pytest.raises(AssertionError):
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
