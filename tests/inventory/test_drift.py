"""Counters that are not what they count: found, and set right with a line in the ledger."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from inventory import services as inventory
from inventory.errors import DriftUnrepairableError, StockUnknownError
from inventory.models import ReservationLine, StockEntry, StockItem
from inventory.types import StockDrift
from inventory.watching import gauges, list_drifts, list_live_owners
from tests.inventory.helpers import assert_balanced, counters, demands, stock

pytestmark = pytest.mark.django_db


def test_books_that_balance_have_no_drift() -> None:
    stock(MUG=5, LAMP=2)
    sold = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    inventory.commit(reservation_id=sold.reservation_id)
    inventory.reserve(demands=demands(MUG=1, LAMP=1), owner="chk_2")

    assert list_drifts() == ()
    assert list_drifts(is_whole=False) == ()
    assert inventory.repair_drift(sku_id="MUG", by=None) == ()
    assert StockEntry.objects.filter(kind="repair").count() == 0


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_counter_that_somebody_typed_over_is_found_and_set_right(*, is_whole: bool) -> None:
    stock(MUG=5, LAMP=2)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    StockItem.objects.filter(pk="MUG").update(on_hand=9, reserved=4)

    (drift,) = list_drifts(is_whole=is_whole)
    assert drift == StockDrift("MUG", on_hand=9, booked=5, reserved=4, live=2, strays=0)
    assert inventory.repair_drift(sku_id="MUG", by=7, note="seen by Ann") == (drift,)

    assert counters() == {"MUG": (5, 2), "LAMP": (2, 0)}
    entry = StockEntry.objects.get(kind="repair")
    assert (entry.sku_id, entry.delta, entry.on_hand_after, entry.by) == ("MUG", 0, 5, 7)
    assert entry.note == "on hand 9 → 5, reserved 4 → 2: seen by Ann"
    assert list_drifts() == ()
    assert_balanced()


def test_a_line_marked_wrongly_is_found_and_marked_anew() -> None:
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    over = inventory.reserve(demands=demands(MUG=1), owner="chk_2")
    inventory.release(reservation_id=over.reservation_id, cause="cancelled")
    ReservationLine.objects.update(is_live=False)
    ReservationLine.objects.filter(reservation_id=over.reservation_id).update(is_live=True)

    assert [drift.strays for drift in list_drifts()] == [2]
    inventory.repair_drift(sku_id="MUG", by=None)

    assert list_drifts() == ()
    assert_balanced()


def test_more_reserved_than_the_ledger_has_is_left_to_people() -> None:
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=4), owner="chk_1")
    with connection.cursor() as cursor:  # units that the ledger knows nothing of
        cursor.execute(
            "INSERT INTO inventory_stockentry (at, sku_id, delta, on_hand_after, kind, reason, note, reference)"
            " VALUES (now(), 'MUG', -2, 3, 'adjust', 'lost', '', '')"
        )

    with pytest.raises(DriftUnrepairableError) as caught:
        inventory.repair_drift(sku_id="MUG", by=None)

    assert (caught.value.booked, caught.value.live) == (3, 4)
    assert counters() == {"MUG": (5, 4)}
    assert not StockEntry.objects.filter(kind="repair").exists()


def test_a_sku_without_stock_item_is_unknown() -> None:
    with pytest.raises(StockUnknownError):
        inventory.repair_drift(sku_id="NONE", by=None)


def test_only_a_repair_may_change_nothing() -> None:
    with pytest.raises(IntegrityError, match="stock_entry_changes_something"), transaction.atomic():
        StockEntry.objects.create(sku_id="MUG", delta=0, on_hand_after=0, kind="adjust", reason="found")


def test_gauges_count_what_is_reserved_and_overdue() -> None:
    stock(MUG=5, LAMP=1)
    inventory.reserve(demands=demands(MUG=2, LAMP=1), owner="chk_1")
    inventory.reserve(demands=demands(MUG=1), owner="chk_2", ttl_seconds=-30)
    pinned = inventory.reserve(demands=demands(MUG=1), owner="chk_3")
    inventory.pin(reservation_id=pinned.reservation_id, seconds=60)

    now = gauges()

    assert (now.live, now.live_units, now.overdue, now.pinned, now.unavailable_skus) == (3, 5, 1, 1, 1)
    assert now.oldest_overdue_seconds == pytest.approx(30, abs=5)
    assert now.swept_seconds is None
    inventory.sweep()
    assert (gauges().overdue, gauges().oldest_overdue_seconds) == (0, 0)
    assert gauges().swept_seconds == pytest.approx(0, abs=5)


def test_live_owners_are_those_whose_reservations_are_old_enough() -> None:
    stock(MUG=5)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert list_live_owners(older_than_seconds=60) == ()
    assert list_live_owners(older_than_seconds=0) == ((view.reservation_id, "chk_1"),)
