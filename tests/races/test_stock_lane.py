"""The lane of a hot SKU under rivals: exact at the last unit, in order of arrival, not stuck by a dead leader."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from pytest_django import Settings

from inventory import services as inventory
from inventory.conf import conf
from inventory.errors import InsufficientStockError, StockBusyError
from inventory.models import LaneRequest, Reservation, StockItem
from inventory.types import ReservationView
from shop.core.errors import UnavailableError
from tests.inventory.helpers import assert_balanced, counters, demands, stock
from tests.races.rivals import be_patient, held_open, meet, running, wait_until_blocked

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = 20
DECIDE = importlib.import_module("inventory.migrations.0008_units_in_several_locations").DECIDE_IN_PLACES
PASS = importlib.import_module("inventory.migrations.0006_lane_functions").PASS
AGAIN = "EXIT WHEN the_state IS NOT NULL OR clock_timestamp() > until;"
"""Else whoever waits tries to lead again."""
GUARD = "WHERE w.quantity > coalesce((free->>w.sku_id)::int, 0)"


@pytest.fixture(autouse=True)
def _patient(settings: Settings) -> None:
    settings.INVENTORY = replace(conf(), lane_wait_seconds=60)


def heat(**units: int) -> None:
    stock(**units)
    inventory.mark_hot(sku_id="HOT", is_hot=True)


def buy(number: int) -> list[ReservationView | Exception]:
    answers: list[ReservationView | Exception] = []
    for turn in range(200 // RIVALS):
        try:
            answers.append(inventory.reserve(demands=demands(HOT=1), owner=f"chk_{number}_{turn}"))
        except (InsufficientStockError, IntegrityError) as refusal:
            answers.append(refusal)
    return answers


def outcomes() -> Counter[str]:
    found: Counter[str] = Counter()
    for answers in meet(RIVALS, buy):
        assert isinstance(answers, list), answers
        found.update(type(answer).__name__ for answer in answers)
    return found


def one(owner: str, **quantities: int) -> str:
    """Reserve in a session of its own; say what came of it."""
    be_patient()
    try:
        inventory.reserve(demands=demands(**(quantities or {"HOT": 1})), owner=owner)
    except (InsufficientStockError, UnavailableError) as refusal:
        return type(refusal).__name__
    finally:
        connection.close()
    return "reserved"


@contextmanager
def lane_held() -> Iterator[int]:
    """Lead the lane without deciding, as a leader who is slow would."""

    def lead() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('HOT', 4711)),"
                " pg_advisory_xact_lock(hashtextextended('HOT', 4712))"
            )

    with held_open(lead) as pid:
        yield pid


def test_of_200_buyers_in_the_lane_one_gets_the_last_unit() -> None:
    heat(HOT=1)

    assert outcomes() == {"ReservationView": 1, "InsufficientStockError": 199}

    assert counters() == {"HOT": (1, 1)}
    assert not LaneRequest.objects.exists()
    assert_balanced()


def test_twin_that_grants_without_looking_is_stopped_by_the_check_alone() -> None:
    heat(HOT=1)
    assert GUARD in DECIDE
    careless = DECIDE.replace(GUARD, "WHERE false")
    with connection.cursor() as cursor:
        cursor.execute(careless)
    try:
        found = outcomes()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(DECIDE)

    assert found["IntegrityError"] > 0
    assert counters()["HOT"][1] <= 1


def test_who_came_first_is_served_first_and_all_in_one_commit() -> None:
    heat(HOT=4, COLD=1)
    with ThreadPoolExecutor(8) as pool:
        with lane_held():
            answers = []
            for number in range(1, 8):
                # The third wants more of a cold SKU than there is: it steps back, and holds nothing up.
                wanted = {"HOT": 1, "COLD": 2} if number == 3 else {"HOT": 1}
                answers.append(pool.submit(one, f"chk_{number}", **wanted))
                wait_until_blocked(rivals=number)
        got = [answer.result(60) for answer in answers]

    short = "InsufficientStockError"
    assert got == ["reserved", "reserved", short, "reserved", "reserved", short, short]
    assert counters() == {"HOT": (4, 4), "COLD": (1, 0)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text), count(*) FROM inventory_reservation")
        assert cursor.fetchone() == (1, 4)
    assert_balanced()


def kill_a_leader() -> Counter[str]:
    """Let six ask at once, and kill the one that decides while it waits for the stock row; say what each got."""
    heat(HOT=50)
    with ThreadPoolExecutor(6) as pool:
        with held_open(lambda: list(StockItem.objects.select_for_update().filter(pk="HOT"))):
            answers = [pool.submit(one, f"chk_{number}") for number in range(6)]
            wait_until_blocked(rivals=6)
            with connection.cursor() as cursor:  # the leader is the one that waits for the row
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND wait_event <> 'advisory' AND query LIKE '%inventory_pass_lane%'"
                )
                assert cursor.fetchall() == [(True,)]
        return Counter(answer.result(60) for answer in answers)


def test_a_leader_who_is_killed_leaves_the_lane_to_the_next_and_nothing_behind() -> None:
    assert kill_a_leader() == {"reserved": 5, "UnavailableError": 1}

    # The dead leader's request stood in the lane as well: it may have been granted to nobody, which ends by its time.
    assert Reservation.objects.count() in (5, 6)
    assert_balanced()
    inventory.sweep()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_lanerequest SET created_at = now() - interval '1 hour'")
    inventory.sweep()
    assert not LaneRequest.objects.exists()


def test_twin_who_only_waits_for_the_leader_gets_nothing_when_it_dies() -> None:
    assert AGAIN in PASS
    with connection.cursor() as cursor:
        cursor.execute(PASS.replace(AGAIN, "EXIT;").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    try:
        got = kill_a_leader()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(PASS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))

    assert got["reserved"] == 0


def test_a_lane_that_does_not_move_answers_busy_and_lets_the_request_out() -> None:
    heat(HOT=5)

    def impatient() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        try:
            inventory.reserve(demands=demands(HOT=1), owner="chk_1")
        except StockBusyError:
            return "busy"
        return "reserved"

    with lane_held(), running(impatient) as answer:
        assert answer.result(30) == "busy"

    assert not LaneRequest.objects.exists()
    assert counters() == {"HOT": (5, 0)}


def test_an_owner_who_asks_twice_at_once_has_one_reservation() -> None:
    heat(HOT=50)

    answers = meet(8, lambda _: inventory.reserve(demands=demands(HOT=2), owner="chk_same"))

    assert {answer.reservation_id for answer in answers if isinstance(answer, ReservationView)} == {
        *Reservation.objects.filter(state="soft").values_list("id", flat=True)
    }
    assert counters() == {"HOT": (50, 2)}
    assert_balanced()


def test_lanes_sweeps_and_the_plain_way_do_not_deadlock() -> None:
    heat(HOT=500, COLD=500, WARM=500)
    inventory.mark_hot(sku_id="WARM", is_hot=True)

    def act(number: int) -> int:
        for turn in range(12):
            owner = f"chk_{number}_{turn}"
            if number % 3 == 0:
                with transaction.atomic():
                    view = inventory.reserve(demands=demands(WARM=1, COLD=1, HOT=1), owner=owner, ttl_seconds=0)
            else:
                wanted = demands(HOT=1, COLD=1) if number % 2 else demands(WARM=1, HOT=1)
                view = inventory.reserve(demands=wanted, owner=owner)
            if turn % 3 == 0:
                inventory.sweep()
            elif turn % 3 == 1 and number % 3:
                inventory.commit(reservation_id=view.reservation_id)
        return 12

    answers = meet(9, act)

    assert [answer for answer in answers if isinstance(answer, OperationalError)] == []
    assert answers == [12] * 9
    assert_balanced()
