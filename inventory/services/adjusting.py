"""Correct what is on hand: always by a difference, always with a reason, always in the ledger."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.db import IntegrityError, connection, transaction

from inventory.errors import AdjustmentInvalidError, StockBelowReservedError, StockBusyError
from inventory.models import Location, LocationStock, StockItem
from inventory.rules import entry_kind
from inventory.types import StockReason
from shop.core.db import failures_named, statement
from shop.core.errors import ErrorDetail

MAX_ON_HAND = 1_000_000_000
"""Far above any shelf and well within 32 bits."""
NOTE_MAX_LENGTH = 200
WITHIN_LOCATION = "reserved_is_within_location"

# The entry in the ledger moves the location's counters too (`inventory.triggers`), within a CHECK of their own; a lock
# on the location keeps it open meanwhile. A SKU's first entry makes its row; the row's own CHECK and the condition keep
# what is reserved covered.
ADJUST = """
WITH done AS MATERIALIZED (
       SELECT e.on_hand_after FROM inventory_stockentry e
        WHERE e.sku_id = %(sku_id)s AND e.reference = %(reference)s AND e.kind <> 'sale' AND %(reference)s <> ''
          AND e.location_id IS NOT DISTINCT FROM %(location)s::bigint),
     place AS MATERIALIZED (SELECT FROM inventory_location WHERE id = %(location)s::bigint AND is_open FOR SHARE),
     before AS MATERIALIZED (SELECT 1 FROM inventory_stockitem WHERE sku_id = %(sku_id)s),
     adjusted AS (
       INSERT INTO inventory_stockitem AS s (sku_id, on_hand, reserved)
       SELECT %(sku_id)s, greatest(%(delta)s, 0), 0
        WHERE (%(delta)s > 0 OR EXISTS (SELECT FROM before)) AND NOT EXISTS (SELECT FROM done)
          AND (%(location)s::bigint IS NULL OR EXISTS (SELECT FROM place))
       ON CONFLICT (sku_id) DO UPDATE SET on_hand = s.on_hand + %(delta)s
             WHERE s.on_hand + %(delta)s BETWEEN s.reserved AND %(most)s
       RETURNING s.on_hand, (xmax = 0) AS is_first),
     written AS (
       INSERT INTO inventory_stockentry
              (at, sku_id, delta, on_hand_after, kind, reason, note, by, reference, location_id)
       SELECT clock_timestamp(), %(sku_id)s, %(delta)s, on_hand,
              CASE WHEN is_first THEN %(first_kind)s ELSE %(kind)s END, %(reason)s, %(note)s, %(by)s, %(reference)s,
              %(location)s
         FROM adjusted)
SELECT on_hand FROM adjusted UNION ALL SELECT on_hand_after FROM done
"""


def adjust(
    *,
    sku_id: str,
    delta: int,
    reason: StockReason | str,
    by: int | None,
    note: str = "",
    reference: str = "",
    location: str = "",
) -> int:
    """Add `delta` units (negative: take away) and give what is on hand then. The SKU's stock item is made if missing.

    `by` is the number of the member of staff, None for the system. A `reference` that this SKU's ledger has already is
    success: nothing is changed, and the answer is what was on hand after that entry. `location` is the code of an open
    location; if empty, and the shop has several, it is the one that was opened first.

    :raises StockBelowReservedError: if fewer units would be left than are reserved, in all or in the location.
    :raises AdjustmentInvalidError: if `delta` is 0 or too large, `reason` not for staff, `note` too long, or `location`
        not open.
    :raises StockBusyError: if others keep the row locked.
    """
    cause = _checked_reason(reason)
    if delta == 0:
        raise AdjustmentInvalidError(errors=(ErrorDetail("/delta", "delta_zero"),))
    if abs(delta) > MAX_ON_HAND:
        raise AdjustmentInvalidError(errors=(ErrorDetail("/delta", "delta_range", {"limit": MAX_ON_HAND}),))
    if len(note) > NOTE_MAX_LENGTH:
        raise AdjustmentInvalidError(errors=(ErrorDetail("/note", "max_length", {"limit": NOTE_MAX_LENGTH}),))
    params: dict[str, Any] = {
        "sku_id": sku_id,
        "delta": delta,
        "most": MAX_ON_HAND,
        "kind": entry_kind(cause, is_first=False).value,
        "first_kind": entry_kind(cause, is_first=True).value,
        "reason": cause.value,
        "note": note,
        "by": by,
        "reference": reference,
        "location": None,
    }
    with failures_named(StockBusyError):
        if location:
            params["location"] = Location.objects.filter(code=location).values_list("pk", flat=True).first()
            if params["location"] is None:
                raise _closed()
        adjusted = _applied(params)
        if adjusted:
            return int(adjusted[0][0])
        if location and not Location.objects.filter(code=location, is_open=True).exists():
            raise _closed()
        item = _counted(sku_id, location) or StockItem(sku_id=sku_id)
    if delta > 0:
        raise AdjustmentInvalidError(errors=(ErrorDetail("/delta", "delta_range", {"limit": MAX_ON_HAND}),))
    numbers = {"on_hand": item.on_hand, "reserved": item.reserved, "most": item.on_hand - item.reserved}
    raise StockBelowReservedError(
        item.on_hand, item.reserved, errors=(ErrorDetail("/delta", "stock_below_reserved", numbers),)
    )


def _applied(params: dict[str, Any]) -> list[tuple[Any, ...]]:
    try:
        # The savepoint keeps the caller's transaction whole.
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return statement(ADJUST, params)
    except IntegrityError as error:
        if WITHIN_LOCATION in str(error):
            return []
        if "one_adjustment_a_reference" not in str(error):
            raise
    # The same request, sent twice at once: the other one was quicker, and this statement sees its entry.
    return statement(ADJUST, params)


def _closed() -> AdjustmentInvalidError:
    return AdjustmentInvalidError(errors=(ErrorDetail("/location", "location_unknown"),))


def _counted(sku_id: str, location: str) -> StockItem | LocationStock | None:
    """Find the counters that an adjustment was refused by: the location's, if there are any."""
    places = LocationStock.objects.filter(sku_id=sku_id)
    if location:
        return places.filter(location__code=location).first() or LocationStock(sku_id=sku_id)
    return places.order_by("location_id").first() or StockItem.objects.filter(pk=sku_id).first()


def _checked_reason(reason: StockReason | str) -> StockReason:
    try:
        checked = StockReason(reason)
    except ValueError:
        checked = StockReason.SALE
    if checked is StockReason.SALE:
        raise AdjustmentInvalidError(errors=(ErrorDetail("/reason", "reason_unknown"),))
    return checked
