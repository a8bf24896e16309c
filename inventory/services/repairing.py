"""Set the counters of a SKU to what they are counters of."""

from __future__ import annotations

from django.db import transaction

from inventory.errors import DriftUnrepairableError, StockBusyError, StockUnknownError
from inventory.services.adjusting import NOTE_MAX_LENGTH
from inventory.types import StockDrift
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
       UPDATE inventory_stockitem SET on_hand = %(booked)s, reserved = %(live)s WHERE sku_id = %(sku_id)s
       RETURNING sku_id, on_hand)
INSERT INTO inventory_stockentry (at, sku_id, delta, on_hand_after, kind, reason, note, by, reference)
SELECT clock_timestamp(), sku_id, 0, on_hand, 'repair', 'correction', %(note)s, %(by)s, '' FROM counted
RETURNING id
"""


def repair_drift(*, sku_id: str, by: int | None, note: str = "") -> StockDrift | None:
    """Set reserved to the sum of soft reservations and on hand to the sum of the ledger; give what differed, or None.

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
        if drift is None:
            return None
        if not drift.is_repairable:
            raise DriftUnrepairableError(drift.booked, drift.live)
        if drift.strays:
            rows(MARK_LINES, {"sku_id": sku_id})
        rows(
            SET_COUNTERS,
            {
                "sku_id": sku_id,
                "booked": drift.booked,
                "live": drift.live,
                "by": by,
                "note": _told(drift, note)[:NOTE_MAX_LENGTH],
            },
        )
    return drift


def _told(drift: StockDrift, note: str) -> str:
    what = f"on hand {drift.on_hand} → {drift.booked}, reserved {drift.reserved} → {drift.live}"
    what += f", {drift.strays} lines marked anew" if drift.strays else ""
    return f"{what}: {note}" if note else what
