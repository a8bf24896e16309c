"""Open a location, change how it is called and when it is asked, close it."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from inventory.errors import LocationInUseError, LocationUnknownError, StockBusyError
from inventory.models import Location
from inventory.places import find_use
from shop.core.db import failures_named, rows

STEP = 10
"""Between positions, so that one can be put between two."""

# Everybody who moves units locks a stock item before writing a line: who has begun ends first, who comes later waits,
# and then sees it. The mode has to wait for row locks too: a repair locks a row, reads, and only then changes counters,
# so a mode that waits for changes alone would let a location be opened in between.
ALL_STOCK = "LOCK TABLE inventory_stockitem IN EXCLUSIVE MODE"
OPEN = """
INSERT INTO inventory_location (code, name, position, is_open)
SELECT %(code)s, %(name)s, least(coalesce(max(position), 0) + %(step)s, 32767), true FROM inventory_location
RETURNING id, (SELECT count(*) FROM inventory_location)
"""
TAKE_ALL_UNITS = """
INSERT INTO inventory_locationstock (sku_id, location_id, on_hand, reserved)
SELECT sku_id, %(location)s, on_hand, reserved FROM inventory_stockitem RETURNING id
"""
TAKE_ALL_LINES = """
INSERT INTO inventory_reservationshare (line_id, location_id, quantity)
SELECT id, %(location)s, quantity FROM inventory_reservationline WHERE is_live RETURNING id
"""
CHANGE = """
UPDATE inventory_location SET name = %(name)s, position = %(position)s, is_open = %(is_open)s WHERE code = %(code)s
RETURNING id
"""


def open_location(*, code: str, name: str) -> Location:
    """Open a location; orders are filled from it after those that are there. Opening a code twice is success.

    The first one takes over all units and all live reservations. For that moment nobody can reserve; no units move.

    :raises StockBusyError: if others keep stock rows locked.
    """
    with failures_named(StockBusyError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ALL_STOCK)
        known = Location.objects.filter(code=code).first()
        if known is not None:
            return known
        ((location, before),) = rows(OPEN, {"code": code, "name": name, "step": STEP})
        if before == 0:
            rows(TAKE_ALL_UNITS, {"location": location})
            rows(TAKE_ALL_LINES, {"location": location})
        return Location.objects.get(pk=location)


def change_location(*, code: str, name: str, position: int, is_open: bool) -> None:
    """Rename a location, move it in the order of filling, close it or open it again; what is reserved stays.

    :raises LocationUnknownError: if there is none.
    :raises LocationInUseError: if it is to be closed, but has units, or is the first one.
    :raises StockBusyError: if others keep its row locked.
    """
    params: dict[str, Any] = {"code": code, "name": name, "position": position, "is_open": is_open}
    with failures_named(StockBusyError), transaction.atomic():
        # Who brings units in shares this lock. What is committed when it is ours is all there is.
        if not Location.objects.select_for_update().filter(code=code):
            raise LocationUnknownError
        use = find_use(code=code)
        if not is_open and use is not None and any(use):
            raise LocationInUseError(use[0])
        rows(CHANGE, params)
