"""Reads of stock and reservations. Times that decide anything are the database's."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from inventory.conf import conf
from inventory.errors import ReservationUnknownError
from inventory.models import StockItem, SweepRecord
from inventory.rules import availability_state
from inventory.types import Availability, AvailabilityState, ReservationState, ReservationView, StockDemand
from shop.core.db import prepared, rows

SWEEP = "sweep"

VIEW_COLUMNS = """
    r.id, r.owner, r.state, r.created_at, r.expires_at, r.renewals, r.pinned_until, r.cause,
    (SELECT json_agg(json_build_array(l.sku_id, l.quantity) ORDER BY l.sku_id)
       FROM inventory_reservationline l WHERE l.reservation_id = r.id)
"""
"""What `read_view` reads, of a reservation called `r`."""
RESERVATION_ROWS = "inventory_reservation r"
"""Reservations (`r`: `id`), for another app's statement that shows them beside its own rows."""

KEPT_UNTIL = """(
  SELECT r.expires_at FROM inventory_reservation r
   WHERE r.id = c.reservation_id AND r.state = 'soft' AND r.expires_at > clock_timestamp())"""
"""A column for the statement of another app whose table, called `c`, names a reservation: when it ends, null once its
units are no longer kept."""

STOCK_COLUMNS = "i.on_hand, i.reserved, coalesce(h.own, 0), coalesce(h.overdue, 0), h.seconds"
"""What `read_stock` reads."""
_HELD = """
  LEFT JOIN LATERAL (
    SELECT sum(l.quantity) FILTER (WHERE r.owner = %(stock_owner)s) AS own,
           sum(l.quantity) FILTER (WHERE r.owner <> %(stock_owner)s AND r.expires_at <= clock_timestamp()) AS overdue,
           extract(epoch FROM min(r.expires_at)
             FILTER (WHERE r.owner <> %(stock_owner)s AND r.expires_at > clock_timestamp()) - clock_timestamp())
             AS seconds
      FROM inventory_reservationline l
      JOIN inventory_reservation r ON r.id = l.reservation_id
     WHERE l.sku_id = i.sku_id AND l.is_live
  ) h ON i.reserved > 0
"""
STOCK_JOIN = f"LEFT JOIN inventory_stockitem i ON i.sku_id = s.sku_id {_HELD}"
"""What `STOCK_COLUMNS` need beside a row called `s` that has a `sku_id`: for another query about SKUs, so that a caller
that wants more than stock asks once. Its parameters: `stock_params`."""
_AVAILABILITY = f"""
SELECT i.sku_id, {STOCK_COLUMNS} FROM inventory_stockitem i {_HELD} WHERE i.sku_id = ANY(%(sku_ids)s)
"""  # noqa: S608 - constants


def stock_params(*, owner: str | None = None) -> dict[str, Any]:
    """Give the parameters of `STOCK_JOIN`; `owner` is whose reserved units count as available."""
    return {"stock_owner": owner or ""}


def availability(*, sku_ids: Collection[str], owner: str | None = None) -> dict[str, Availability]:
    """Tell for each SKU asked about how much of it `owner` could reserve now (one query, whatever the number).

    The owner's own reservation and overdue ones of others count as available. A SKU without a stock item has none.
    """
    wanted = set(sku_ids)
    if not wanted:
        return {}
    asked = {"sku_ids": sorted(wanted), **stock_params(owner=owner)}
    low_stock = conf().low_stock
    found = {row[0]: read_stock(row[0], row[1:], low_stock=low_stock) for row in prepared(_AVAILABILITY, asked)}
    return {sku_id: found.get(sku_id) or _none(sku_id) for sku_id in sorted(wanted)}


def read_stock(sku_id: str, row: Sequence[Any], *, low_stock: int) -> Availability:
    """Make the availability of one SKU of `STOCK_COLUMNS`; up to `low_stock` units are few."""
    on_hand, reserved, own, overdue, seconds = row
    if on_hand is None:
        return _none(sku_id)
    others = reserved - own - overdue
    available = on_hand - others
    state = availability_state(available=available, reserved_by_others=others, low_stock=low_stock)
    is_waiting = state is AvailabilityState.RESERVED_BY_OTHERS and seconds is not None
    return Availability(sku_id, on_hand, available, state, max(1, math.ceil(seconds)) if is_waiting else None)


def _none(sku_id: str) -> Availability:
    return Availability(sku_id, 0, 0, AvailabilityState.OUT, None)


def get_reservation(*, reservation_id: str) -> ReservationView:
    """Look up a reservation, whatever its state.

    :raises ReservationUnknownError: if there is none.
    """
    found = rows(f"SELECT {VIEW_COLUMNS} FROM inventory_reservation r WHERE r.id = %s", [reservation_id])  # noqa: S608 - a constant
    if not found:
        raise ReservationUnknownError
    return read_view(found[0])


def read_view(row: tuple[Any, ...]) -> ReservationView:
    """Make a view of a row of `VIEW_COLUMNS`."""
    reservation_id, owner, state, created_at, expires_at, renewals, pinned_until, cause, lines = row
    return ReservationView(
        reservation_id=reservation_id,
        owner=owner,
        state=ReservationState(state),
        lines=tuple(StockDemand(sku_id, quantity) for sku_id, quantity in lines or ()),
        created_at=created_at,
        expires_at=expires_at,
        renewals=renewals,
        pinned_until=pinned_until,
        cause=cause,
    )


def last_sweep_at() -> datetime | None:
    """Tell when the sweep last came to its end; None if it never did."""
    return SweepRecord.objects.filter(name=SWEEP).values_list("finished_at", flat=True).first()


def oldest_overdue_seconds() -> float:
    """Tell for how long the longest overdue reservation has waited for the sweep; 0 if none waits."""
    ((seconds,),) = rows(
        "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(expires_at)), 0)"
        " FROM inventory_reservation WHERE state = 'soft' AND expires_at <= clock_timestamp()"
    )
    return float(seconds)


def list_stocked(*, sku_ids: Collection[str]) -> frozenset[str]:
    """Tell which of these SKUs have a stock item, be it empty (one query)."""
    return frozenset(StockItem.objects.filter(sku_id__in=set(sku_ids)).values_list("sku_id", flat=True))


def list_plenty() -> frozenset[str]:
    """Tell which SKUs have more than `INVENTORY_LOW_STOCK` available units, by their counters (one query)."""
    available = F("on_hand") - F("reserved")
    return frozenset(
        StockItem.objects.annotate(available=available)
        .filter(available__gt=conf().low_stock)
        .values_list("sku_id", flat=True)
    )
