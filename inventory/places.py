"""Reads of the locations of a shop that has several: which there are, what stands where, whether that adds up."""

from __future__ import annotations

from collections.abc import Collection

from inventory.types import LocationView, Place, PlaceDrift, Unplaced
from shop.core.db import rows

_LOCATIONS = "SELECT code, name, position, is_open FROM inventory_location ORDER BY position, id"

_USE = """
SELECT l.id = (SELECT min(id) FROM inventory_location),
       EXISTS (SELECT FROM inventory_locationstock h WHERE h.location_id = l.id AND h.on_hand > 0)
  FROM inventory_location l WHERE l.code = %(code)s
"""

_PLACES = """
SELECT l.code, l.name, coalesce(h.on_hand, 0), coalesce(h.reserved, 0)
  FROM inventory_location l LEFT JOIN inventory_locationstock h ON h.location_id = l.id AND h.sku_id = %(sku_id)s
 WHERE l.is_open OR h.on_hand > 0 ORDER BY l.position, l.id
"""

_TOTALS = """
SELECT l.code, coalesce(sum(h.on_hand), 0)::int, coalesce(sum(h.reserved), 0)::int
  FROM inventory_location l LEFT JOIN inventory_locationstock h ON h.location_id = l.id GROUP BY l.code
"""

# A line of the ledger without a location is of the location that was opened first.
_DRIFTS = """
WITH first AS MATERIALIZED (SELECT min(id) AS id FROM inventory_location),
     here AS MATERIALIZED (
       SELECT sku_id, location_id, on_hand, reserved FROM inventory_locationstock
        WHERE %(sku_ids)s::text[] IS NULL OR sku_id = ANY(%(sku_ids)s)),
     ledger AS MATERIALIZED ({ledger}),
     live AS MATERIALIZED (
       SELECT n.sku_id, x.location_id, sum(x.quantity)::int AS units
         FROM inventory_reservationline n JOIN inventory_reservationshare x ON x.line_id = n.id
        WHERE n.is_live AND (%(sku_ids)s::text[] IS NULL OR n.sku_id = ANY(%(sku_ids)s))
        GROUP BY n.sku_id, x.location_id)
SELECT sku_id, l.code, coalesce(on_hand, 0), coalesce(booked, 0), coalesce(reserved, 0), coalesce(units, 0)
  FROM here FULL JOIN ledger USING (sku_id, location_id) FULL JOIN live USING (sku_id, location_id)
  JOIN inventory_location l ON l.id = location_id
 WHERE coalesce(on_hand, 0) <> coalesce(booked, 0) OR coalesce(reserved, 0) <> coalesce(units, 0)
 ORDER BY sku_id, l.position, l.id
"""
_WHOLE = _DRIFTS.format(
    ledger="""
       SELECT e.sku_id, coalesce(e.location_id, first.id) AS location_id, sum(e.delta)::int AS booked
         FROM first, inventory_stockentry e
        WHERE first.id IS NOT NULL AND (%(sku_ids)s::text[] IS NULL OR e.sku_id = ANY(%(sku_ids)s))
        GROUP BY 1, 2"""
)
_ADDED_UP = _DRIFTS.format(
    ledger="""
       SELECT here.sku_id, here.location_id,
              CASE WHEN here.location_id = first.id
                   THEN s.on_hand - (sum(here.on_hand) OVER (PARTITION BY here.sku_id) - here.on_hand)
                   ELSE here.on_hand END::int AS booked
         FROM first, here JOIN inventory_stockitem s ON s.sku_id = here.sku_id"""
)

_UNPLACED = """
SELECT n.sku_id, sum(n.quantity - coalesce(x.units, 0))::int
  FROM inventory_reservationline n
  LEFT JOIN LATERAL (SELECT sum(quantity) AS units FROM inventory_reservationshare WHERE line_id = n.id) AS x ON true
 WHERE n.is_live AND n.quantity > coalesce(x.units, 0) AND EXISTS (SELECT FROM inventory_location)
   AND (%(sku_ids)s::text[] IS NULL OR n.sku_id = ANY(%(sku_ids)s))
 GROUP BY n.sku_id ORDER BY n.sku_id
"""


def list_locations() -> tuple[LocationView, ...]:
    """List the shop's locations in the order of filling; none if all stands in one place (one query)."""
    return tuple(LocationView(*row) for row in rows(_LOCATIONS))


def list_choices() -> tuple[LocationView, ...]:
    """List the locations between which staff have to choose: the open ones, if they are several (one query)."""
    found = tuple(location for location in list_locations() if location.is_open)
    return found if len(found) > 1 else ()


def find_use(*, code: str) -> tuple[bool, bool] | None:
    """Tell whether a location is the one that was opened first, and whether it has units; None if there is none."""
    found = rows(_USE, {"code": code})
    return (bool(found[0][0]), bool(found[0][1])) if found else None


def list_places(*, sku_id: str) -> tuple[Place, ...]:
    """List where the units of a SKU stand or may be put, in the order of filling (one query)."""
    return tuple(Place(*row) for row in rows(_PLACES, {"sku_id": sku_id}))


def place_totals() -> dict[str, tuple[int, int]]:
    """Give for each location, by code, how many units are on hand and how many of them reserved (one query)."""
    return {code: (on_hand, reserved) for code, on_hand, reserved in rows(_TOTALS)}


def list_place_drifts(*, sku_ids: Collection[str] | None = None, is_whole: bool = True) -> tuple[PlaceDrift, ...]:
    """List where a location's counters are not what ledger and reservations say (one query).

    Without `is_whole` the ledger is not summed up: then the locations have to add up to the SKU's stock item.
    """
    params = {"sku_ids": None if sku_ids is None else sorted(set(sku_ids))}
    return tuple(PlaceDrift(*row) for row in rows(_WHOLE if is_whole else _ADDED_UP, params))


def list_unplaced(*, sku_ids: Collection[str] | None = None) -> tuple[Unplaced, ...]:
    """List the SKUs of which live reservations have units from no location, if there are locations (one query)."""
    params = {"sku_ids": None if sku_ids is None else sorted(set(sku_ids))}
    return tuple(Unplaced(*row) for row in rows(_UNPLACED, params))
