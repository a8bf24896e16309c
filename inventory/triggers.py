"""Where units stand, for shops with several locations: kept by the database, beneath the statements of the services.

The SKU's own row in `inventory_stockitem` decides what can be reserved and is locked first by whoever moves units.
These triggers spread over the SKU's locations what was decided there. A shop without locations leaves each at its first
line. A function sees with each of its statements what is committed by then, so what it reads is as it is under that
lock.
"""

from __future__ import annotations

import pgtrigger

NO_LOCATIONS = "IF NOT EXISTS (SELECT FROM inventory_location) THEN RETURN NULL; END IF;"
LOCKED = "PERFORM FROM inventory_stockitem WHERE sku_id IN (SELECT sku_id FROM {table}) ORDER BY sku_id FOR UPDATE;"

# Lines of one SKU are laid end to end, in order of arrival, and so is what its locations have, in their order: a line
# is filled from where the two overlap.
PLACE = f"""
{NO_LOCATIONS}
{LOCKED.format(table="added")}
WITH asked AS (
       SELECT id AS line_id, sku_id, sum(quantity) OVER w - quantity AS low, sum(quantity) OVER w AS high
         FROM added WHERE is_live WINDOW w AS (PARTITION BY sku_id ORDER BY id)),
     here AS (
       SELECT s.sku_id, s.location_id,
              sum(s.on_hand - s.reserved) OVER w - (s.on_hand - s.reserved) AS low,
              sum(s.on_hand - s.reserved) OVER w AS high
         FROM inventory_locationstock s JOIN inventory_location l ON l.id = s.location_id
        WHERE s.sku_id IN (SELECT sku_id FROM asked)
       WINDOW w AS (PARTITION BY s.sku_id ORDER BY l.position, l.id)),
     shared AS (
       INSERT INTO inventory_reservationshare (line_id, location_id, quantity)
       SELECT a.line_id, h.location_id, least(a.high, h.high) - greatest(a.low, h.low)
         FROM asked a JOIN here h ON h.sku_id = a.sku_id
        WHERE least(a.high, h.high) > greatest(a.low, h.low)
       RETURNING line_id, location_id, quantity)
UPDATE inventory_locationstock s SET reserved = s.reserved + t.units
  FROM (SELECT a.sku_id, x.location_id, sum(x.quantity)::int AS units
          FROM shared x JOIN asked a USING (line_id) GROUP BY a.sku_id, x.location_id) AS t
 WHERE s.sku_id = t.sku_id AND s.location_id = t.location_id;
RETURN NULL;
"""  # noqa: S608 - put together from constants

LEAVE = f"""
{NO_LOCATIONS}
{LOCKED.format(table="after")}
UPDATE inventory_locationstock s SET on_hand = s.on_hand - t.sold, reserved = s.reserved - t.units
  FROM (SELECT n.sku_id, x.location_id, sum(x.quantity)::int AS units,
               coalesce(sum(x.quantity) FILTER (WHERE r.state = 'hard'), 0)::int AS sold
          FROM after n
          JOIN before o ON o.id = n.id
          JOIN inventory_reservationshare x ON x.line_id = n.id
          JOIN inventory_reservation r ON r.id = n.reservation_id
         WHERE o.is_live AND NOT n.is_live
         GROUP BY n.sku_id, x.location_id) AS t
 WHERE s.sku_id = t.sku_id AND s.location_id = t.location_id;
RETURN NULL;
"""  # noqa: S608 - put together from constants

# What a sale takes leaves with its lines. Where nobody says which, it is the location that was opened first.
BOOK = f"""
{NO_LOCATIONS}
WITH moved AS (
       SELECT b.sku_id, coalesce(b.location_id, (SELECT min(id) FROM inventory_location)) AS location_id,
              sum(b.delta)::int AS units
         FROM booked b WHERE b.kind NOT IN ('sale', 'repair') GROUP BY 1, 2),
     known AS (
       UPDATE inventory_locationstock s SET on_hand = s.on_hand + m.units
         FROM moved m WHERE s.sku_id = m.sku_id AND s.location_id = m.location_id
       RETURNING s.sku_id, s.location_id)
INSERT INTO inventory_locationstock (sku_id, location_id, on_hand, reserved)
SELECT m.sku_id, m.location_id, m.units, 0 FROM moved m
 WHERE NOT EXISTS (SELECT FROM known k WHERE k.sku_id = m.sku_id AND k.location_id = m.location_id);
RETURN NULL;
"""  # noqa: S608 - put together from constants


def _after(name: str, operation: pgtrigger.Operation, func: str, *, old: str | None, new: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(old=old, new=new),  # type: ignore[no-untyped-call]
        func=func,
    )


ON_LINES = (
    _after("lines_are_placed", pgtrigger.Insert, PLACE, old=None, new="added"),
    _after("lines_leave_their_places", pgtrigger.Update, LEAVE, old="before", new="after"),
)
ON_LEDGER = (_after("ledger_books_places", pgtrigger.Insert, BOOK, old=None, new="booked"),)
