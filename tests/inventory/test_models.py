"""What the database refuses, whoever asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from inventory import services as inventory
from inventory.models import Reservation, StockEntry, StockItem
from tests.inventory.helpers import age, demands, stock

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("counters", [{"on_hand": 1, "reserved": 2}, {"on_hand": 1, "reserved": -1}, {"on_hand": -1}])
def test_more_than_is_there_cannot_be_reserved(counters: dict[str, int]) -> None:
    with pytest.raises(IntegrityError, match="reserved_is_within_on_hand"):
        StockItem.objects.create(sku_id="MUG", **counters)


@pytest.mark.parametrize(
    "change",
    [
        lambda: StockEntry.objects.update(delta=9),
        lambda: StockEntry.objects.all().delete(),
        lambda: StockEntry.objects.all()._raw_delete("default"),
    ],
)
def test_the_ledger_is_append_only(change: Callable[[], object]) -> None:
    stock(MUG=1)

    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        change()

    assert StockEntry.objects.get().delta == 1


@pytest.mark.parametrize("state", ["soft", "released", "hard"])
def test_an_ended_reservation_never_changes(state: str) -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.release(reservation_id=view.reservation_id, cause="cancelled")

    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Reservation.objects.update(state=state, ended_at=None)

    assert Reservation.objects.get().state == "released"


def test_a_live_reservation_is_never_deleted() -> None:
    stock(MUG=1)
    inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    def delete() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM inventory_reservationline")
            cursor.execute("DELETE FROM inventory_reservation")

    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        delete()


def test_a_reservation_that_ended_within_a_week_is_not_deleted_by_anybody() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)
    age(days=6)

    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        Reservation.objects.all()._raw_delete("default")

    assert Reservation.objects.get().state == "hard"


def test_an_owner_has_one_soft_reservation() -> None:
    stock(MUG=2)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    with pytest.raises(IntegrityError, match="one_soft_reservation_an_owner"):
        Reservation.objects.create(id="res_2", owner="chk_1", expires_at=view.expires_at)


def test_pages_of_the_stock_table_leave_room_for_updates_in_place() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'inventory_stockitem'")
        assert cursor.fetchone() == (["fillfactor=60"],)
