"""Which SKUs are hot: because staff say so, or by themselves for a while when many have waited for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from django.core.cache import caches
from django.db import connection, transaction

from inventory import store
from inventory.conf import conf
from inventory.errors import StockUnknownError
from shop.core.db import rows, statement

logger = logging.getLogger(__name__)

HOT_KEY = "stock:hot"
HOT_MINUTES = 10
KNOWN_SECONDS = 1.0
"""For so long a process believes what the cache said: in a rush everybody would ask it the same."""

HOT = "SELECT sku_id FROM inventory_stockitem WHERE is_hot OR hot_until > clock_timestamp() ORDER BY sku_id"
MARK = "UPDATE inventory_stockitem SET is_hot = %(is_hot)s WHERE sku_id = %(sku_id)s RETURNING sku_id"
# Locks stock rows by ascending SKU, as whoever reserves does: those who wait long come in crowds.
WARM = f"""
WITH locked AS MATERIALIZED (
       SELECT sku_id FROM inventory_stockitem
        WHERE sku_id = ANY(%(sku_ids)s)
          AND coalesce(hot_until, '-infinity') < clock_timestamp() + interval '{HOT_MINUTES // 2} minutes'
        ORDER BY sku_id FOR UPDATE)
UPDATE inventory_stockitem s SET hot_until = clock_timestamp() + interval '{HOT_MINUTES} minutes'
  FROM locked WHERE s.sku_id = locked.sku_id
RETURNING s.sku_id
"""  # noqa: S608 - put together from constants


_known: tuple[float, frozenset[str]] = (0.0, frozenset())


def find_hot(sku_ids: Collection[str]) -> tuple[str, ...]:
    """Tell which of these SKUs are hot, in ascending order.

    Asks the cache alone, once a second. When it has forgotten, everything goes the plain way, which is as right, until
    the next sweep.
    """
    until, hot = _known
    if time.monotonic() >= until:
        hot = _believe(caches["default"].get(HOT_KEY) or ())
    return tuple(sorted(hot.intersection(sku_ids))) if hot else ()


def _believe(hot: Collection[str]) -> frozenset[str]:
    global _known  # noqa: PLW0603 - one for the process, read and written whole
    _known = (time.monotonic() + KNOWN_SECONDS, frozenset(hot))
    return _known[1]


def publish_hot() -> tuple[str, ...]:
    """Tell all processes which SKUs are hot; give them."""
    hot = tuple(sku_id for (sku_id,) in rows(HOT))
    caches["default"].set(HOT_KEY, list(hot), timeout=None)
    _believe(hot)
    return hot


def mark_hot(*, sku_id: str, is_hot: bool) -> None:
    """Say that a SKU is hot, or no longer, because staff expect a rush. Saying it twice is success.

    :raises StockUnknownError: if the SKU has no stock item.
    """
    if not statement(MARK, {"sku_id": sku_id, "is_hot": is_hot}):
        raise StockUnknownError
    transaction.on_commit(publish_hot)


def note_wait(sku_ids: Collection[str]) -> None:
    """Count a long wait for these SKUs once the transaction is over; who has many is hot by itself for a while.

    Fails nothing: whoever waited has an answer already, and it may be that the database is away.
    """
    waited = tuple(sku_ids)

    def count() -> None:  # not a `partial`: Django logs what fails here by its name
        _count_wait(waited)

    if connection.in_atomic_block:
        transaction.on_commit(count, robust=True)
        return
    # Outside of a transaction `on_commit` would first connect.
    try:
        count()
    except Exception:
        logger.exception("wait_not_counted")


def _count_wait(sku_ids: tuple[str, ...]) -> None:
    limit = conf().hot_after_waits
    counted = store.count(store.Event.WAITED, sku_ids)
    waited = [sku_id for sku_id, number in counted.items() if limit and number >= limit]
    if waited and statement(WARM, {"sku_ids": waited}):
        publish_hot()
