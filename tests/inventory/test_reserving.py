"""Reserving: all or nothing, once an owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from inventory import selectors
from inventory import services as inventory
from inventory.errors import InsufficientStockError, Shortage
from inventory.models import Reservation, ReservationLine
from inventory.services import reserving
from inventory.types import ReservationState, StockDemand
from shop.core.errors import ErrorDetail
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock

pytestmark = pytest.mark.django_db


def test_units_are_kept_and_nothing_leaves_the_stock() -> None:
    stock(MUG=5, PLATE=2)

    view = inventory.reserve(demands=demands(PLATE=1, MUG=3), owner="chk_1")

    assert counters() == {"MUG": (5, 3), "PLATE": (2, 1)}
    assert view.state is ReservationState.SOFT
    assert view.lines == (StockDemand("MUG", 3), StockDemand("PLATE", 1))
    assert view.expires_at - view.created_at == timedelta(seconds=600)
    assert selectors.get_reservation(reservation_id=view.reservation_id) == view
    assert_balanced()


def test_demands_for_one_sku_are_summed() -> None:
    stock(MUG=3)

    with pytest.raises(InsufficientStockError):
        inventory.reserve(demands=[StockDemand("MUG", 2), StockDemand("MUG", 2)], owner="chk_1")

    inventory.reserve(demands=[StockDemand("MUG", 2), StockDemand("MUG", 1)], owner="chk_1")
    assert counters() == {"MUG": (3, 3)}


def test_when_one_sku_is_short_none_is_reserved_and_the_short_ones_are_named() -> None:
    stock(MUG=5, PLATE=1)

    with pytest.raises(InsufficientStockError) as refused:
        inventory.reserve(demands=demands(MUG=1, PLATE=2, UNKNOWN=1), owner="chk_1")

    assert refused.value.shortages == (Shortage("PLATE", 2, 1, None), Shortage("UNKNOWN", 1, 0, None))
    assert refused.value.errors == (
        ErrorDetail("/items/PLATE", "short", {"requested": 2, "buyable": 1, "retry_after": None}),
        ErrorDetail("/items/UNKNOWN", "short", {"requested": 1, "buyable": 0, "retry_after": None}),
    )
    assert counters() == {"MUG": (5, 0), "PLATE": (1, 0)}
    assert not Reservation.objects.exists()


def test_a_refusal_says_when_units_may_come_back() -> None:
    stock(MUG=2)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=300)

    with pytest.raises(InsufficientStockError) as refused:
        inventory.reserve(demands=demands(MUG=1), owner="chk_2")

    (shortage,) = refused.value.shortages
    assert shortage.retry_after_seconds is not None
    assert 240 <= shortage.retry_after_seconds <= 300


def test_the_same_wish_of_the_same_owner_is_the_same_reservation() -> None:
    stock(MUG=2)
    first = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    again = inventory.reserve(demands=[StockDemand("MUG", 1), StockDemand("MUG", 1)], owner="chk_1")

    assert again == first
    assert counters() == {"MUG": (2, 2)}


def test_another_wish_of_the_same_owner_takes_the_place_of_the_first_and_needs_only_the_difference() -> None:
    stock(MUG=3, PLATE=1)
    first = inventory.reserve(demands=demands(MUG=2, PLATE=1), owner="chk_1")
    inventory.renew(reservation_id=first.reservation_id)
    end = selectors.get_reservation(reservation_id=first.reservation_id).expires_at

    second = inventory.reserve(demands=demands(MUG=3), owner="chk_1")

    assert counters() == {"MUG": (3, 3), "PLATE": (1, 0)}
    assert (second.expires_at, second.renewals) == (end, 1)
    assert states() == {first.reservation_id: "released", second.reservation_id: "soft"}
    assert selectors.get_reservation(reservation_id=first.reservation_id).cause == "replaced"
    assert_balanced()


def test_wanting_one_sku_less_gives_its_units_back() -> None:
    stock(MUG=2, PLATE=1)
    first = inventory.reserve(demands=demands(MUG=2, PLATE=1), owner="chk_1")

    second = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert second.reservation_id != first.reservation_id
    assert counters() == {"MUG": (2, 2), "PLATE": (1, 0)}
    assert_balanced()


def test_when_the_difference_is_short_the_first_reservation_stays() -> None:
    stock(MUG=3)
    first = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    with pytest.raises(InsufficientStockError) as refused:
        inventory.reserve(demands=demands(MUG=4), owner="chk_1")

    assert refused.value.shortages == (Shortage("MUG", 4, 3, None),)
    assert selectors.get_reservation(reservation_id=first.reservation_id) == first
    assert counters() == {"MUG": (3, 2)}


def test_an_owner_whose_reservation_is_overdue_gets_another_with_a_full_life() -> None:
    stock(MUG=2)
    old = inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=-1)

    fresh = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert states() == {old.reservation_id: "expired", fresh.reservation_id: "soft"}
    assert fresh.expires_at - fresh.created_at == timedelta(seconds=600)
    assert counters() == {"MUG": (2, 2)}
    assert_balanced()


def test_overdue_units_of_others_are_taken_over_without_a_sweep() -> None:
    stock(MUG=2, PLATE=1)
    old = inventory.reserve(demands=demands(MUG=2, PLATE=1), owner="chk_1", ttl_seconds=0)

    fresh = inventory.reserve(demands=demands(MUG=1), owner="chk_2")

    assert states() == {old.reservation_id: "expired", fresh.reservation_id: "soft"}
    assert selectors.get_reservation(reservation_id=old.reservation_id).cause == "taken_over"
    assert counters() == {"MUG": (2, 1), "PLATE": (1, 0)}
    assert_balanced()


def test_twin_without_taking_over_a_dead_sweeper_stops_sales(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserving, "TAKE_OVER", "SELECT 0")
    stock(MUG=2)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=0)

    with pytest.raises(InsufficientStockError):
        inventory.reserve(demands=demands(MUG=1), owner="chk_2")


def test_overdue_reservations_stay_while_there_is_enough() -> None:
    stock(MUG=3)
    old = inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=0)

    inventory.reserve(demands=demands(MUG=1), owner="chk_2")

    assert states()[old.reservation_id] == "soft"


def test_reserving_is_one_statement(django_assert_num_queries: Any) -> None:
    stock(**{f"SKU-{number}": 5 for number in range(50)})
    wanted = [StockDemand(f"SKU-{number}", 1) for number in range(50)]

    with django_assert_num_queries(3):  # the statement, and a savepoint around it: the test itself is a transaction
        inventory.reserve(demands=wanted, owner="chk_1")

    with django_assert_num_queries(3):
        inventory.reserve(demands=wanted[:1], owner="chk_2")


def test_a_refusal_inside_a_transaction_leaves_it_usable() -> None:
    stock(MUG=1)

    with transaction.atomic():
        with pytest.raises(InsufficientStockError):
            inventory.reserve(demands=demands(MUG=2), owner="chk_1")
        inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    assert counters() == {"MUG": (1, 1)}


def test_lines_of_a_reservation_name_each_sku_once() -> None:
    stock(MUG=9)

    inventory.reserve(demands=demands(MUG=4), owner="chk_1")

    assert list(ReservationLine.objects.values_list("sku_id", "quantity", "is_live")) == [("MUG", 4, True)]


@pytest.mark.django_db(transaction=True)
def test_alone_it_holds_no_transaction_open() -> None:
    stock(MUG=1)

    inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    assert not connection.in_atomic_block
    assert counters() == {"MUG": (1, 1)}
