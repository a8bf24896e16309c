"""Two who end the same reservation: one wins, the other is told, units move once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.db import DatabaseError, connection, transaction

from inventory import selectors
from inventory import services as inventory
from inventory.errors import ReservationExpiredError
from inventory.models import StockItem
from inventory.services import ending, pruning
from inventory.types import ReservationState, ReservationView
from shop.core.errors import UnavailableError
from tests.inventory.helpers import age, assert_balanced, counters, demands, states, stock
from tests.races.rivals import be_patient, held_open, meet, running, wait_until_blocked
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

STILL_SOFT = "AND r.state = 'soft'"
ROUNDS = int(os.environ.get("STOCK_ROUNDS", "50"))
"""Sale against sweep against release; `STOCK_ROUNDS=1000` takes a minute."""


def overdue(owner: str, **quantities: int) -> ReservationView:
    return inventory.reserve(demands=demands(**quantities), owner=owner, ttl_seconds=0)


def test_a_sale_that_was_first_is_skipped_by_the_sweep() -> None:
    stock(MUG=1)
    view = overdue("chk_1", MUG=1)

    with held_open(lambda: inventory.commit(reservation_id=view.reservation_id)):
        assert inventory.sweep() == 0

    assert states() == {view.reservation_id: "hard"}
    assert inventory.sweep() == 0
    assert counters() == {"MUG": (0, 0)}
    assert_balanced()


def test_in_many_rounds_of_sale_sweep_and_release_exactly_one_wins() -> None:
    stock(MUG=4 * ROUNDS)
    for turn in range(ROUNDS):
        view = overdue(f"chk_{turn}", MUG=3)
        before = counters()["MUG"][0]

        def act(number: int, view: ReservationView = view) -> str:
            if number == 0:
                return inventory.commit(reservation_id=view.reservation_id).state.value
            if number == 1:
                return "swept" if inventory.sweep() else "nothing"
            return "released" if inventory.release(reservation_id=view.reservation_id, cause="x") else "nothing"

        sale, swept, released = meet(3, act)

        end = states()[view.reservation_id]
        assert end in ("hard", "expired", "released")
        assert (sale == "hard") is (end == "hard")
        assert sale == "hard" or isinstance(sale, ReservationExpiredError)
        assert (swept == "swept") is (end == "expired")
        assert (released == "released") is (end == "released")
        assert counters()["MUG"] == (before - 3 if end == "hard" else before, 0)
    assert_balanced()


@pytest.mark.parametrize("end", ["release", "sweep", "adjust"])
def test_units_that_come_back_while_a_buyer_waits_for_the_row_are_theirs(end: str) -> None:
    stock(MUG=1)
    old = inventory.reserve(demands=demands(MUG=1), owner="chk_old", ttl_seconds=0 if end == "sweep" else 60)
    ends: dict[str, Callable[[], object]] = {
        "release": lambda: inventory.release(reservation_id=old.reservation_id, cause="cancelled"),
        "sweep": inventory.sweep,
        "adjust": lambda: inventory.adjust(sku_id="MUG", delta=1, reason="found", by=None),
    }

    with ExitStack() as later:
        with held_open(ends[end]):
            buyer = later.enter_context(running(lambda: inventory.reserve(demands=demands(MUG=1), owner="chk_new")))
            wait_until_blocked()
        view = buyer.result(PATIENCE_SECONDS)

    assert view.state is ReservationState.SOFT
    assert counters() == {"MUG": (2, 2) if end == "adjust" else (1, 1)}
    assert_balanced()


def test_sweepers_side_by_side_give_units_back_once() -> None:
    stock(MUG=300, PLATE=300)
    for number in range(150):
        overdue(f"chk_{number}", MUG=2, PLATE=1)

    answers = meet(6, lambda _: inventory.sweep(batch=10))

    assert sum(answer for answer in answers if isinstance(answer, int)) == 150
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert counters() == {"MUG": (300, 0), "PLATE": (300, 0)}
    assert_balanced()


def test_twin_sweepers_that_do_not_look_again_meet_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    careless = ending.SWEEP_BATCH.replace("FOR UPDATE SKIP LOCKED", "").replace(STILL_SOFT, "")
    assert careless.count("r.state = 'soft'") == 1
    monkeypatch.setattr(ending, "SWEEP_BATCH", careless)
    stock(MUG=20)
    for number in range(5):
        overdue(f"chk_{number}", MUG=2)

    with ExitStack() as later, held_open(lambda: StockItem.objects.select_for_update().get(pk="MUG")):
        sweepers = [later.enter_context(running(sweep_patiently)) for _ in range(2)]
        wait_until_blocked(rivals=2)  # both have seen the same reservations

    assert [sweeper for sweeper in sweepers if isinstance(sweeper.exception(), DatabaseError)]


def sweep_patiently() -> int:
    be_patient()
    return inventory.sweep()


def kill_a_sweeper() -> None:
    """Let a sweep come upon a stock row that another has locked, and kill it there."""
    stock(MUG=5)
    for number in range(5):
        overdue(f"chk_{number}", MUG=1)

    with ExitStack() as later:
        with held_open(lambda: StockItem.objects.select_for_update().get(pk="MUG")):
            sweeper = later.enter_context(running(sweep_patiently))
            wait_until_blocked()
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                assert cursor.fetchall() == [(True,)]
        with pytest.raises(UnavailableError):
            sweeper.result(PATIENCE_SECONDS)


def test_a_sweeper_that_dies_in_its_batch_leaves_nothing_half_done_and_no_lock() -> None:
    kill_a_sweeper()

    assert set(states().values()) == {"soft"}
    assert_balanced()
    assert inventory.sweep() == 5
    assert counters() == {"MUG": (5, 0)}
    assert_balanced()


def test_twin_a_batch_in_two_transactions_leaves_units_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, gives = ending.SWEEP_BATCH.split(",\n     given AS (")
    assert "UPDATE inventory_stockitem" in gives
    then = "COMMIT; UPDATE inventory_stockitem SET reserved = 0 RETURNING 5"
    monkeypatch.setattr(ending, "SWEEP_BATCH", f"{ends} SELECT count(*) FROM moved; {then}")  # noqa: S608 - constants

    kill_a_sweeper()

    assert set(states().values()) == {"expired"}
    assert counters() == {"MUG": (5, 5)}


def test_overdue_units_are_taken_over_by_one_of_many() -> None:
    stock(MUG=1)
    old = overdue("chk_old", MUG=1)

    answers = meet(20, lambda number: inventory.reserve(demands=demands(MUG=1), owner=f"chk_{number}"))

    assert Counter(type(answer).__name__ for answer in answers) == {"ReservationView": 1, "InsufficientStockError": 19}
    assert states()[old.reservation_id] == "expired"
    assert counters() == {"MUG": (1, 1)}
    assert_balanced()


def test_in_one_transaction_with_more_units_taken_over_locks_stay_in_order() -> None:
    stock(ANVIL=2, MUG=1, ZITHER=2)
    overdue("chk_old", ANVIL=1, MUG=1, ZITHER=1)

    with transaction.atomic():
        view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
        inventory.commit(reservation_id=view.reservation_id)

    assert selectors.get_reservation(reservation_id=view.reservation_id).state is ReservationState.HARD
    assert counters() == {"ANVIL": (2, 0), "MUG": (0, 0), "ZITHER": (2, 0)}
    assert_balanced()


def test_two_who_prune_at_once_do_not_wait_for_each_other() -> None:
    end_long_ago()

    with held_open(inventory.prune_reservations):
        assert inventory.prune_reservations() == 0

    assert states() == {}


def test_twin_that_does_not_pass_over_what_is_locked_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    end_long_ago()
    monkeypatch.setattr(pruning, "PRUNE", pruning.PRUNE.replace("SKIP LOCKED", ""))

    with ExitStack() as later:
        with held_open(inventory.prune_reservations):
            other = later.enter_context(running(inventory.prune_reservations))
            wait_until_blocked()
        assert other.result(PATIENCE_SECONDS) == 0


def end_long_ago() -> None:
    """Leave two reservations that ended before the time for which they are kept."""
    stock(MUG=2)
    for number in range(2):
        inventory.reserve(demands=demands(MUG=1), owner=f"chk_{number}")
        inventory.release_owner(owner=f"chk_{number}", cause="cancelled")
    age(days=91)
