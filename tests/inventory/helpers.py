"""What the tests of stock share."""

from __future__ import annotations

from datetime import timedelta

import pgtrigger
from django.db.models import F

from inventory import services as inventory
from inventory.models import LocationStock, Reservation, ReservationLine, ReservationShare, StockEntry, StockItem
from inventory.places import list_place_drifts
from inventory.types import StockDemand, StockReason


def stock(**units: int) -> None:
    """Bring units of SKUs into stock: `stock(MUG=3)`."""
    for sku_id, on_hand in units.items():
        inventory.adjust(sku_id=sku_id, delta=on_hand, reason=StockReason.RECEIVED, by=None)


def demands(**quantities: int) -> tuple[StockDemand, ...]:
    """Demand units of SKUs: `demands(MUG=2)`."""
    return tuple(StockDemand(sku_id, quantity) for sku_id, quantity in quantities.items())


def counters() -> dict[str, tuple[int, int]]:
    """Give on hand and reserved of each SKU."""
    return {item.sku_id: (item.on_hand, item.reserved) for item in StockItem.objects.all()}


def states() -> dict[str, str]:
    """Give the state of each reservation by its id."""
    return dict(Reservation.objects.values_list("id", "state"))


def standing() -> dict[tuple[str, str], tuple[int, int]]:
    """Give on hand and reserved of each SKU in each location, by its code."""
    found = LocationStock.objects.select_related("location")
    return {(place.sku_id, place.location.code): (place.on_hand, place.reserved) for place in found}


def shares(reservation_id: str) -> dict[tuple[str, str], int]:
    """Give how many units of a reservation come, or came, from each location."""
    found = ReservationShare.objects.filter(line__reservation=reservation_id).select_related("line", "location")
    return {(share.line.sku_id, share.location.code): share.quantity for share in found}


def age(days: int) -> None:
    """Let all reservations have been made, and those that are over have ended, so many days earlier."""
    earlier = timedelta(days=days)
    with pgtrigger.ignore("inventory.Reservation:ended_reservation_is_final"):
        Reservation.objects.update(created_at=F("created_at") - earlier, ended_at=F("ended_at") - earlier)


def assert_balanced() -> None:
    """Check that counters, reservations and ledger say the same (nothing lost, nothing oversold)."""
    live: dict[str, int] = {}
    for line in ReservationLine.objects.filter(reservation__state="soft"):
        live[line.sku_id] = live.get(line.sku_id, 0) + line.quantity
    booked: dict[str, int] = {}
    for entry in StockEntry.objects.order_by("id"):
        booked[entry.sku_id] = booked.get(entry.sku_id, 0) + entry.delta
    for item in StockItem.objects.all():
        assert 0 <= item.reserved <= item.on_hand
        assert item.reserved == live.get(item.sku_id, 0), f"reserved of {item.sku_id} is not what reservations say"
        assert item.on_hand == booked.get(item.sku_id, 0), f"on hand of {item.sku_id} is not what the ledger says"
    assert not ReservationLine.objects.filter(is_live=True).exclude(reservation__state="soft").exists()
    assert not ReservationLine.objects.filter(is_live=False, reservation__state="soft").exists()
    assert list_place_drifts() == list_place_drifts(is_whole=False) == ()
    in_places: dict[str, tuple[int, int]] = {}
    for (sku_id, _), (on_hand, reserved) in standing().items():
        before = in_places.get(sku_id, (0, 0))
        in_places[sku_id] = (before[0] + on_hand, before[1] + reserved)
    assert in_places in ({}, counters()), "the locations do not add up to the stock items"
