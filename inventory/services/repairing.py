"""Set the counters of a SKU to what they are counters of."""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger
from django.db import transaction

from inventory.errors import DriftUnrepairableError, StockBusyError, StockUnknownError
from inventory.places import list_place_drifts, list_unplaced
from inventory.services.adjusting import NOTE_MAX_LENGTH
from inventory.types import PlaceDrift, StockDrift, Unplaced
from inventory.watching import list_drifts
from shop.core.db import failures_named, rows

LOCK = "SELECT on_hand FROM inventory_stockitem WHERE sku_id = %(sku_id)s FOR UPDATE"

MARK_LINES = """
UPDATE inventory_reservationline l SET is_live = (r.state = 'soft')
  FROM inventory_reservation r
 WHERE r.id = l.reservation_id AND l.sku_id = %(sku_id)s AND l.is_live <> (r.state = 'soft')
RETURNING l.id
"""

SET_COUNTERS = """
WITH counted AS (
       UPDATE inventory_stockitem SET on_hand = coalesce(%(booked)s, on_hand), reserved = coalesce(%(live)s, reserved)
        WHERE sku_id = %(sku_id)s
       RETURNING sku_id, on_hand)
INSERT INTO inventory_stockentry (at, sku_id, delta, on_hand_after, kind, reason, note, by, reference)
SELECT clock_timestamp(), sku_id, 0, on_hand, 'repair', 'correction', %(note)s, %(by)s, '' FROM counted
RETURNING id
"""

SET_PLACE = """
INSERT INTO inventory_locationstock (sku_id, location_id, on_hand, reserved)
SELECT %(sku_id)s, id, %(booked)s, %(live)s FROM inventory_location WHERE code = %(code)s
ON CONFLICT (sku_id, location_id) DO UPDATE SET on_hand = excluded.on_hand, reserved = excluded.reserved
RETURNING id
"""

# As lines are placed when they are written (`inventory.triggers`), but only what they lack. The SKU is given thrice:
# while a trigger is ignored a statement takes no parameters by name.
PLACE_LINES = """
WITH lacking AS (
       SELECT n.id, n.quantity - coalesce((SELECT sum(quantity) FROM inventory_reservationshare
                                            WHERE line_id = n.id), 0) AS units
         FROM inventory_reservationline n WHERE n.is_live AND n.sku_id = %s),
     asked AS (
       SELECT id AS line_id, sum(units) OVER w - units AS low, sum(units) OVER w AS high
         FROM lacking WHERE units > 0 WINDOW w AS (ORDER BY id)),
     here AS (
       SELECT s.location_id, sum(s.on_hand - s.reserved) OVER w - (s.on_hand - s.reserved) AS low,
              sum(s.on_hand - s.reserved) OVER w AS high
         FROM inventory_locationstock s JOIN inventory_location l ON l.id = s.location_id
        WHERE s.sku_id = %s WINDOW w AS (ORDER BY l.position, l.id)),
     parts AS MATERIALIZED (
       SELECT a.line_id, h.location_id, (least(a.high, h.high) - greatest(a.low, h.low))::int AS units
         FROM asked a JOIN here h ON least(a.high, h.high) > greatest(a.low, h.low)),
     shared AS (
       INSERT INTO inventory_reservationshare AS x (line_id, location_id, quantity)
       SELECT line_id, location_id, units FROM parts
           ON CONFLICT (line_id, location_id) DO UPDATE SET quantity = x.quantity + excluded.quantity),
     counted AS (
       UPDATE inventory_locationstock s SET reserved = s.reserved + p.units
         FROM (SELECT location_id, sum(units)::int AS units FROM parts GROUP BY location_id) AS p
        WHERE s.sku_id = %s AND s.location_id = p.location_id)
SELECT count(*) FROM parts
"""


def repair_drift(*, sku_id: str, by: int | None, note: str = "") -> tuple[StockDrift | PlaceDrift | Unplaced, ...]:
    """Set reserved to the sum of soft reservations and on hand to the sum of the ledger; give what differed.

    The same for each of the SKU's locations. Reserved units that come from none are placed where there are units.

    The ledger gets a line of kind `repair` that names the old and the new numbers; it changes no units, because the
    ledger's sum is what on hand is set to. `by` is the number of the member of staff, None for the system.

    :raises StockUnknownError: if the SKU has no stock item.
    :raises DriftUnrepairableError: if more is reserved than the ledger says is on hand; nothing is changed.
    :raises StockBusyError: if others keep the row locked.
    """
    with failures_named(StockBusyError), transaction.atomic():
        # Whoever moves units of this SKU needs this lock. What is committed when it is ours is all there is, and the
        # next statement sees it.
        if not rows(LOCK, {"sku_id": sku_id}):
            raise StockUnknownError
        drift = next(iter(list_drifts(sku_ids=[sku_id])), None)
        if drift is not None and not drift.is_repairable:
            raise DriftUnrepairableError(drift.booked, drift.live)
        if drift is not None and drift.strays:
            rows(MARK_LINES, {"sku_id": sku_id})
        places = list_place_drifts(sku_ids=[sku_id])
        for place in places:
            if not place.is_repairable:
                raise DriftUnrepairableError(place.booked, place.live)
            rows(SET_PLACE, {"sku_id": sku_id, "code": place.code, "booked": place.booked, "live": place.live})
        unplaced = list_unplaced(sku_ids=[sku_id])
        if unplaced:  # by what has just been set right, the locations have as many units as are reserved
            with pgtrigger.ignore("inventory.ReservationShare:share_is_final"):
                rows(PLACE_LINES, [sku_id] * 3)
        found = (*([drift] if drift else ()), *places, *unplaced)
        if not found:
            return ()
        rows(
            SET_COUNTERS,
            {
                "sku_id": sku_id,
                "booked": drift.booked if drift else None,
                "live": drift.live if drift else None,
                "by": by,
                "note": _told(found, note)[:NOTE_MAX_LENGTH],
            },
        )
    return found


def _told(drifts: Sequence[StockDrift | PlaceDrift | Unplaced], note: str) -> str:
    what = []
    for drift in drifts:
        if isinstance(drift, Unplaced):
            what.append(f"{drift.units} reserved units placed")
            continue
        where = f"{drift.code}: " if isinstance(drift, PlaceDrift) else ""
        what.append(f"{where}on hand {drift.on_hand} → {drift.booked}, reserved {drift.reserved} → {drift.live}")
        if isinstance(drift, StockDrift) and drift.strays:
            what.append(f"{drift.strays} lines marked anew")
    return f"{', '.join(what)}: {note}" if note else ", ".join(what)
