"""Many buyers, few units: never more is reserved than is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection
from pytest_django import Settings

from inventory import services as inventory
from inventory.conf import conf
from inventory.errors import InsufficientStockError, StockBusyError
from inventory.models import Reservation, ReservationLine, StockItem
from inventory.services import reserving
from inventory.types import ReservationView
from tests.inventory.helpers import assert_balanced, counters, demands, stock
from tests.races.rivals import meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = 40
BUYERS_A_RIVAL = 5
GUARD = "WHERE n.delta > coalesce(l.available, 0)"


@pytest.fixture(autouse=True)
def _no_lane(settings: Settings) -> None:
    """Keep the SKU cold however many wait: this is about the plain way (test_stock_lane.py is about the other)."""
    settings.INVENTORY = replace(conf(), hot_after_waits=0)


def buy(number: int) -> list[ReservationView | Exception]:
    answers: list[ReservationView | Exception] = []
    for turn in range(BUYERS_A_RIVAL):
        try:
            answers.append(inventory.reserve(demands=demands(LAST=1), owner=f"chk_{number}_{turn}"))
        except (InsufficientStockError, IntegrityError) as refusal:
            answers.append(refusal)
    return answers


def outcomes() -> Counter[str]:
    found: Counter[str] = Counter()
    for answers in meet(RIVALS, buy):
        assert isinstance(answers, list), answers
        found.update(type(answer).__name__ for answer in answers)
    return found


def switch_guard_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GUARD in reserving.RESERVE
    monkeypatch.setattr(reserving, "RESERVE", reserving.RESERVE.replace(GUARD, "WHERE false"))


@contextmanager
def without_check() -> Iterator[None]:
    name = "reserved_is_within_on_hand"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE inventory_stockitem DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        StockItem.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE inventory_stockitem ADD CONSTRAINT {name} CHECK (reserved >= 0 AND reserved <= on_hand)"
            )


def test_of_200_buyers_one_gets_the_last_unit_and_all_others_a_clear_answer() -> None:
    stock(LAST=1)

    assert outcomes() == {"ReservationView": 1, "InsufficientStockError": 199}

    assert counters() == {"LAST": (1, 1)}
    assert Reservation.objects.count() == ReservationLine.objects.count() == 1
    assert_balanced()


def test_twin_without_the_condition_the_check_is_what_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    stock(LAST=1)
    switch_guard_off(monkeypatch)

    assert outcomes() == {"ReservationView": 1, "IntegrityError": 199}

    assert counters() == {"LAST": (1, 1)}
    assert_balanced()


def test_twin_without_condition_and_check_it_is_oversold(monkeypatch: pytest.MonkeyPatch) -> None:
    stock(LAST=1)
    switch_guard_off(monkeypatch)

    with without_check():
        assert outcomes() == {"ReservationView": 200}
        assert counters() == {"LAST": (1, 200)}


def test_twenty_rounds_of_rivals_for_a_few_units_sell_exactly_those() -> None:
    for turn in range(20):
        sku_id = f"FEW-{turn}"
        stock(**{sku_id: 7})

        def buy_two(number: int, sku_id: str = sku_id) -> ReservationView:
            return inventory.reserve(demands=demands(**{sku_id: 2}), owner=f"{sku_id}-{number}")

        found = Counter(type(answer).__name__ for answer in meet(20, buy_two))

        assert found == {"ReservationView": 3, "InsufficientStockError": 17}, sku_id
        assert counters()[sku_id] == (7, 6)
    assert_balanced()


def test_one_owner_who_asks_many_times_at_once_has_one_reservation() -> None:
    stock(MUG=9)

    answers = meet(20, lambda _: inventory.reserve(demands=demands(MUG=2), owner="chk_1"))

    assert len({answer.reservation_id for answer in answers if isinstance(answer, ReservationView)}) == 1
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert counters() == {"MUG": (9, 2)}
    assert_balanced()


def test_one_owner_who_asks_for_different_things_at_once_ends_with_one_of_them() -> None:
    stock(MUG=9, PLATE=9)

    answers = meet(
        12,
        lambda number: inventory.reserve(
            demands=demands(MUG=1 + number % 3) if number % 2 else demands(PLATE=1 + number % 2, MUG=1), owner="chk_1"
        ),
    )

    assert {type(answer) for answer in answers} <= {ReservationView, StockBusyError}
    assert Reservation.objects.filter(state="soft").count() == 1
    assert_balanced()
