"""End reservations: sold, given back, or expired. Whoever moves the row out of soft moves the counters too."""

from __future__ import annotations

from inventory.errors import ReservationExpiredError, StockBusyError
from inventory.selectors import SWEEP, VIEW_COLUMNS, get_reservation, read_view
from inventory.services.heating import publish_hot
from inventory.types import ReservationState, ReservationView
from shop.core.db import failures_named, statement

# A sale has a line in the ledger for each location that units came from; one for all, if there are no locations.
# Locks: the reservation, then stock rows by ascending SKU. `= ANY(ARRAY(…))` beside a join keeps the planner, which
# cannot know how few rows a CTE gives, from reading all stock.
COMMIT = f"""
WITH moved AS (
       UPDATE inventory_reservation r SET state = 'hard', cause = 'sold', ended_at = clock_timestamp()
        WHERE r.id = %(id)s AND r.state = 'soft' RETURNING r.*),
     ended AS (
       UPDATE inventory_reservationline l SET is_live = false
         FROM moved WHERE l.reservation_id = moved.id RETURNING l.id, l.sku_id, l.quantity),
     locked AS MATERIALIZED (
       SELECT s.sku_id FROM inventory_stockitem s
        WHERE s.sku_id = ANY(ARRAY(SELECT sku_id FROM ended)) ORDER BY s.sku_id FOR UPDATE),
     sold AS (
       UPDATE inventory_stockitem s SET on_hand = s.on_hand - e.quantity, reserved = s.reserved - e.quantity
         FROM ended e JOIN locked USING (sku_id)
        WHERE s.sku_id = e.sku_id AND s.sku_id = ANY(ARRAY(SELECT sku_id FROM ended))
       RETURNING s.sku_id, e.id, e.quantity, s.on_hand),
     parts AS (
       SELECT sold.sku_id, p.position, p.location_id, p.quantity,
              sold.on_hand + sold.quantity - sum(p.quantity) OVER so_far AS on_hand_after
         FROM sold, LATERAL (
              SELECT x.location_id, x.quantity, l.position
                FROM inventory_reservationshare x JOIN inventory_location l ON l.id = x.location_id
               WHERE x.line_id = sold.id
              UNION ALL
              SELECT NULL, sold.quantity - coalesce(sum(x.quantity), 0), NULL
                FROM inventory_reservationshare x WHERE x.line_id = sold.id
              HAVING sold.quantity > coalesce(sum(x.quantity), 0)) AS p
       WINDOW so_far AS (PARTITION BY sold.id ORDER BY p.position, p.location_id)),
     written AS (
       INSERT INTO inventory_stockentry (at, sku_id, location_id, delta, on_hand_after, kind, reason, note, reference)
       SELECT clock_timestamp(), p.sku_id, p.location_id, -p.quantity, p.on_hand_after, 'sale', 'sale', '',
              coalesce(nullif(%(reference)s, ''), moved.owner)
         FROM parts p, moved ORDER BY p.sku_id, p.position, p.location_id)
SELECT {VIEW_COLUMNS} FROM moved r
"""  # noqa: S608 - put together from constants

GIVE_BACK = """
     moved AS (
       UPDATE inventory_reservation r SET state = %(state)s, cause = %(cause)s, ended_at = clock_timestamp()
         FROM due WHERE r.id = due.id AND r.state = 'soft' RETURNING r.id),
     ended AS (
       UPDATE inventory_reservationline l SET is_live = false
         FROM moved WHERE l.reservation_id = moved.id RETURNING l.sku_id, l.quantity),
     back AS MATERIALIZED (SELECT sku_id, sum(quantity)::int AS quantity FROM ended GROUP BY sku_id),
     locked AS MATERIALIZED (
       SELECT s.sku_id FROM inventory_stockitem s
        WHERE s.sku_id = ANY(ARRAY(SELECT sku_id FROM back)) ORDER BY s.sku_id FOR UPDATE),
     given AS (
       UPDATE inventory_stockitem s SET reserved = s.reserved - b.quantity
         FROM back b JOIN locked USING (sku_id)
        WHERE s.sku_id = b.sku_id AND s.sku_id = ANY(ARRAY(SELECT sku_id FROM back)))
SELECT count(*) FROM moved
"""

RELEASE = f"""
WITH due AS MATERIALIZED (
       SELECT r.id FROM inventory_reservation r WHERE r.id = %(id)s AND r.state = 'soft' FOR UPDATE),
{GIVE_BACK}
"""  # noqa: S608 - put together from constants

RELEASE_OWNER = f"""
WITH due AS MATERIALIZED (
       SELECT r.id FROM inventory_reservation r WHERE r.owner = %(owner)s AND r.state = 'soft' FOR UPDATE),
{GIVE_BACK}
"""  # noqa: S608 - put together from constants

SWEEP_BATCH = f"""
WITH due AS MATERIALIZED (
       SELECT r.id FROM inventory_reservation r
        WHERE r.state = 'soft' AND r.expires_at <= clock_timestamp()
        ORDER BY r.expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
{GIVE_BACK}
"""  # noqa: S608 - put together from constants

SWEPT = """
INSERT INTO inventory_sweeprecord (name, finished_at, moved) VALUES (%(name)s, clock_timestamp(), %(moved)s)
ON CONFLICT (name) DO UPDATE SET finished_at = excluded.finished_at, moved = excluded.moved
RETURNING finished_at
"""


def commit(*, reservation_id: str, reference: str = "") -> ReservationView:
    """Turn a soft reservation into a sale: its units leave the stock for good, each SKU with an entry in the ledger.

    One that is overdue, but that nobody has ended yet, is sold too. One that is sold already is success.
    `reference` is what the ledger names as the cause; the owner if empty.

    :raises ReservationExpiredError: if it expired or was released.
    :raises ReservationUnknownError: if there is none.
    :raises StockBusyError: if others keep the rows locked.
    """
    with failures_named(StockBusyError):
        moved = statement(COMMIT, {"id": reservation_id, "reference": reference}, keeps_plan=True)
        if moved:
            return read_view(moved[0])
        view = get_reservation(reservation_id=reservation_id)
    if view.state is not ReservationState.HARD:
        raise ReservationExpiredError
    return view


def release(*, reservation_id: str, cause: str) -> bool:
    """Give the units of a soft reservation back; False if it was over already. `cause` is kept with it.

    :raises StockBusyError: if others keep the rows locked.
    """
    with failures_named(StockBusyError):
        ((count,),) = statement(
            RELEASE,
            {"id": reservation_id, "state": ReservationState.RELEASED.value, "cause": cause},
            keeps_plan=True,
        )
    return bool(count)


def release_owner(*, owner: str, cause: str) -> bool:
    """Give back what an owner has reserved, whatever it is; False if that is nothing.

    :raises StockBusyError: if others keep the rows locked.
    """
    with failures_named(StockBusyError):
        ((count,),) = statement(
            RELEASE_OWNER,
            {"owner": owner, "state": ReservationState.RELEASED.value, "cause": cause},
            keeps_plan=True,
        )
    return bool(count)


def sweep(*, batch: int = 500) -> int:
    """End all overdue reservations, `batch` at a time, and give their units back; how many there were.

    All processes are told which SKUs are hot.
    Two sweeps side by side share the work: what one has locked the other skips. Each batch is a transaction of its own.
    """
    total: int = 0
    with failures_named(StockBusyError):
        while True:
            ((count,),) = statement(
                SWEEP_BATCH, {"batch": batch, "state": ReservationState.EXPIRED.value, "cause": "overdue"}
            )
            total += count
            if count < batch:
                break
        statement(SWEPT, {"name": SWEEP, "moved": total})
        publish_hot()
    return total
