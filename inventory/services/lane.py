"""The lane of a hot SKU: requests wait in a row, one session decides all of them in one commit.

A plain reservation keeps the SKU's row locked until its commit is on disk, so that a hot SKU sells one commit after
another. In the lane a request is a row of its own; whoever gets the lane's lock decides all rows that wait, in order of
arrival, and the others wait for that commit. When the leader dies its locks go with its session, and the next in the
lane leads.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.cache import caches
from django.db import transaction

from inventory import store
from inventory.conf import conf
from inventory.errors import InsufficientStockError, Shortage, StockBusyError, StockUnknownError
from inventory.types import LaneState, ReservationState, ReservationView, StockDemand
from shop.core.db import failures_named, rows, statement
from shop.core.ids import new_id

HOT_KEY = "stock:hot"
HOT_MINUTES = 10
MOST = 200
"""So many requests are decided in one batch at most."""

ENTER = """
INSERT INTO inventory_lanerequest (lane, owner, reservation_id, sku_ids, quantities, ttl_seconds, state)
VALUES (%(lane)s, %(owner)s, %(id)s, %(sku_ids)s, %(quantities)s, %(ttl_seconds)s, 'waiting') RETURNING id
"""
GO_THROUGH = """
SELECT the_state, the_shortages::json, created, expires
  FROM inventory_pass_lane(%(request)s, %(lane)s, %(patience)s, %(most)s)
"""
LEAVE = """
WITH gone AS (DELETE FROM inventory_lanerequest WHERE id = %(request)s RETURNING *)
SELECT gone.state, gone.short::json, r.created_at, r.expires_at
  FROM gone LEFT JOIN inventory_reservation r ON r.id = gone.reservation_id
"""
CLEAR = "DELETE FROM inventory_lanerequest WHERE created_at < clock_timestamp() - interval '5 minutes' RETURNING id"

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


def find_lane(sku_ids: Collection[str]) -> str | None:
    """Name the lane that a reservation of these SKUs goes through; None if none of them is hot.

    Asks the cache alone. When it has forgotten, everything goes the plain way, which is as right, until the next sweep.
    """
    hot = frozenset(caches["default"].get(HOT_KEY) or ())
    return min(hot.intersection(sku_ids), default=None) if hot else None


def publish_hot() -> tuple[str, ...]:
    """Tell all processes which SKUs are hot; give them."""
    hot = tuple(sku_id for (sku_id,) in rows(HOT))
    caches["default"].set(HOT_KEY, list(hot), timeout=None)
    return hot


def mark_hot(*, sku_id: str, is_hot: bool) -> None:
    """Say that a SKU is hot, or no longer, because staff expect a rush. Saying it twice is success.

    :raises StockUnknownError: if the SKU has no stock item.
    """
    if not statement(MARK, {"sku_id": sku_id, "is_hot": is_hot}):
        raise StockUnknownError
    transaction.on_commit(publish_hot)


def note_wait(sku_ids: Collection[str]) -> None:
    """Count a long wait for these SKUs once the transaction is over; who has many is hot by itself for a while."""
    waited = tuple(sku_ids)

    def count() -> None:  # not a `partial`: Django logs what fails here by its name
        _count_wait(waited)

    transaction.on_commit(count, robust=True)


def _count_wait(sku_ids: tuple[str, ...]) -> None:
    limit = conf().hot_after_waits
    counted = store.count(store.Event.WAITED, sku_ids)
    waited = [sku_id for sku_id, number in counted.items() if limit and number >= limit]
    if waited and statement(WARM, {"sku_ids": waited}):
        publish_hot()


def clear_lanes() -> int:
    """Take out requests for which nobody waits any more: their processes died. How many there were."""
    return len(statement(CLEAR))


def pass_lane(*, lane: str, params: dict[str, Any], wanted: tuple[StockDemand, ...]) -> ReservationView | None:
    """Reserve through a lane; None if the owner has a reservation, which only the plain way can change.

    Must run outside a transaction: others have to see the request, and the answer is committed by whoever leads.

    :raises InsufficientStockError: if a SKU is short.
    :raises StockBusyError: if the request was not decided in `INVENTORY_LANE_WAIT_SECONDS`; it is out of the lane then.
    """
    reservation_id = new_id("res")
    with failures_named(StockBusyError):
        ((request,),) = statement(ENTER, {**params, "lane": lane, "id": reservation_id}, keeps_plan=True)
    asked = {"request": request, "lane": lane, "patience": conf().lane_wait_seconds, "most": MOST}
    state, shortages, created_at, expires_at = _answer(asked)
    match state:
        case LaneState.GRANTED.value:
            return ReservationView(
                reservation_id=reservation_id,
                owner=params["owner"],
                state=ReservationState.SOFT,
                lines=wanted,
                created_at=created_at,
                expires_at=expires_at,
                renewals=0,
            )
        case LaneState.SHORT.value:
            raise InsufficientStockError(
                tuple(Shortage(sku_id, requested, available, None) for sku_id, requested, available in shortages)
            )
        case LaneState.ELSEWHERE.value:
            return None
    raise StockBusyError(retry_after_seconds=1)


def _answer(asked: dict[str, Any]) -> tuple[Any, ...]:
    """Wait for the answer; past its time the request leaves the lane, be it with an answer after all."""
    try:
        with failures_named(StockBusyError):
            (answer,) = statement(GO_THROUGH, asked, keeps_plan=True)
            if answer[0] is not None:
                return answer
    except StockBusyError:
        pass  # a wait for the lane's locks ended
    with failures_named(StockBusyError):
        left = statement(LEAVE, asked)
    return left[0] if left else (None, None, None, None)
