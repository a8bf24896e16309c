"""What shoppers and others are told about stock."""

from __future__ import annotations

from typing import Any

import pytest

from inventory import selectors
from inventory import services as inventory
from inventory.errors import ReservationUnknownError
from inventory.types import Availability, AvailabilityState
from tests.inventory.helpers import demands, stock

pytestmark = pytest.mark.django_db


def test_a_sku_without_a_stock_item_is_out() -> None:
    assert selectors.availability(sku_ids=["MUG"]) == {"MUG": Availability("MUG", 0, 0, AvailabilityState.OUT, None)}


def test_nothing_asked_is_nothing_answered(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert selectors.availability(sku_ids=[]) == {}


def test_an_owner_sees_what_they_have_reserved_as_available_and_others_do_not() -> None:
    stock(MUG=7)
    inventory.reserve(demands=demands(MUG=7), owner="chk_1", ttl_seconds=300)

    mine = selectors.availability(sku_ids=["MUG"], owner="chk_1")["MUG"]
    theirs = selectors.availability(sku_ids=["MUG"], owner="chk_2")["MUG"]
    anybodys = selectors.availability(sku_ids=["MUG"])["MUG"]

    assert mine == Availability("MUG", 7, 7, AvailabilityState.IN_STOCK, None)
    assert theirs == anybodys
    assert (theirs.available, theirs.state) == (0, AvailabilityState.RESERVED_BY_OTHERS)
    assert theirs.retry_after_seconds is not None
    assert 240 <= theirs.retry_after_seconds <= 300


def test_the_first_reservation_to_end_says_when_units_may_come_back() -> None:
    stock(MUG=2)
    inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=500)
    inventory.reserve(demands=demands(MUG=1), owner="chk_2", ttl_seconds=60)

    seconds = selectors.availability(sku_ids=["MUG"])["MUG"].retry_after_seconds

    assert seconds is not None
    assert 1 <= seconds <= 60


def test_overdue_units_count_as_available() -> None:
    stock(MUG=3)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=0)

    assert selectors.availability(sku_ids=["MUG"]) == {"MUG": Availability("MUG", 3, 3, AvailabilityState.LOW, None)}


def test_what_was_sold_is_gone_for_its_owner_too() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)

    assert selectors.availability(sku_ids=["MUG"], owner="chk_1") == {
        "MUG": Availability("MUG", 0, 0, AvailabilityState.OUT, None)
    }


@pytest.mark.parametrize("lines", [1, 100])
def test_availability_is_one_query_whatever_the_number(django_assert_num_queries: Any, lines: int) -> None:
    wanted = {f"SKU-{number}": 1 for number in range(lines)}
    stock(**dict.fromkeys(wanted, 2))
    inventory.reserve(demands=demands(**wanted), owner="chk_1")

    with django_assert_num_queries(1):
        found = selectors.availability(sku_ids=list(wanted), owner="chk_2")

    assert {one.available for one in found.values()} == {1}


def test_an_unknown_reservation_is_refused() -> None:
    with pytest.raises(ReservationUnknownError):
        selectors.get_reservation(reservation_id="res_nothing")


def test_an_empty_stock_item_is_still_one() -> None:
    stock(MUG=1)
    inventory.adjust(sku_id="MUG", delta=-1, reason="lost", by=None)

    assert selectors.list_stocked(sku_ids=["MUG", "PLATE"]) == {"MUG"}
    assert selectors.list_plenty() == frozenset()
