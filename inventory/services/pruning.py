"""Delete reservations that ended long ago: what was sold stays in the ledger, and with the order."""

from __future__ import annotations

from inventory.conf import conf
from inventory.errors import StockBusyError
from shop.core.db import failures_named, statement

BATCH = 1_000

# Found by when they were made, for which there is an index: a reservation ends soon after. Lines and shares go in the
# same statement; their foreign keys are looked at as it commits. A trigger lets no live or lately ended one go.
PRUNE = """
WITH old AS MATERIALIZED (
       SELECT id FROM inventory_reservation
        WHERE created_at < clock_timestamp() - make_interval(days => %(days)s)
          AND ended_at < clock_timestamp() - make_interval(days => %(days)s) AND state <> 'soft'
        ORDER BY created_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
     shares AS (
       DELETE FROM inventory_reservationshare x USING inventory_reservationline l
        WHERE x.line_id = l.id AND l.reservation_id = ANY(ARRAY(SELECT id FROM old))),
     lines AS (
       DELETE FROM inventory_reservationline l WHERE l.reservation_id = ANY(ARRAY(SELECT id FROM old))),
     gone AS (
       DELETE FROM inventory_reservation r WHERE r.id = ANY(ARRAY(SELECT id FROM old)) RETURNING 1)
SELECT count(*) FROM gone
"""


def prune_reservations(*, batch: int = BATCH) -> int:
    """Delete reservations that ended more than `INVENTORY_KEEP_DAYS` ago, `batch` at a time; how many there were.

    Counters, ledger and orders are not touched. Each batch is a transaction of its own; two at once share the work.

    :raises StockBusyError: if others keep the rows locked.
    """
    total: int = 0
    with failures_named(StockBusyError):
        while True:
            ((count,),) = statement(PRUNE, {"days": conf().keep_days, "batch": batch})
            total += count
            if count < batch:
                return total
