"""The lane of a hot SKU: requests that meet in a process are decided together, in order of arrival, in one statement.

A plain reservation keeps the SKU's row locked until its commit is on disk, so that a hot SKU sells one commit after
another. In the lane one thread decides for all that wait, and the next batch gathers meanwhile. Between processes
PostgreSQL's lock of the row decides whose turn it is. Nothing stands anywhere but in memory: a process that dies takes
its own undecided requests with it, and nobody waits for them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from inventory.combining import Combiner, WaitedTooLongError
from inventory.conf import conf
from inventory.errors import InsufficientStockError, Shortage, StockBusyError
from inventory.types import LaneState, ReservationState, ReservationView, StockDemand
from shop.core.db import array_text, failures_named, statement
from shop.core.ids import new_id

logger = logging.getLogger(__name__)

DECIDE = """
SELECT state, short::json, created, expires
  FROM inventory_reserve_together(
       %(owners)s::text[], %(ids)s::text[], %(lives)s::integer[],
       %(numbers)s::integer[], %(sku_ids)s::text[], %(quantities)s::integer[], %(hot)s::text[])
"""


@dataclass(frozen=True, slots=True)
class _Request:
    owner: str
    reservation_id: str
    ttl_seconds: int
    demands: tuple[StockDemand, ...]
    hot: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    state: LaneState
    short: Sequence[tuple[str, int, int]] | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None


def pass_lane(
    *, hot: tuple[str, ...], owner: str, demands: tuple[StockDemand, ...], ttl_seconds: int
) -> ReservationView | None:
    """Reserve through the lane of the first of the `hot` SKUs; None if this request has to go the plain way.

    It has to if its owner has a reservation already, if somebody keeps a cold SKU of it locked, or if it is unknown
    what came of it: the plain way knows how to change, to wait and to find.

    Must run outside a transaction: what is decided is committed by another thread.

    :raises InsufficientStockError: if a SKU is short.
    :raises StockBusyError: if its turn did not come in `INVENTORY_LANE_WAIT_SECONDS`, or others keep a hot SKU locked.
    """
    request = _Request(owner, new_id("res"), ttl_seconds, demands, hot)
    try:
        answer = _lane(hot[0]).ask(request, seconds=conf().lane_wait_seconds)
    except WaitedTooLongError:
        raise StockBusyError(retry_after_seconds=1) from None
    match answer:
        case _Answer(LaneState.GRANTED, None, datetime() as created_at, datetime() as expires_at):
            return ReservationView(
                reservation_id=request.reservation_id,
                owner=owner,
                state=ReservationState.SOFT,
                lines=demands,
                created_at=created_at,
                expires_at=expires_at,
                renewals=0,
            )
        case _Answer(LaneState.SHORT, short):
            raise InsufficientStockError(
                tuple(Shortage(sku_id, requested, available, None) for sku_id, requested, available in short or ())
            )
        case _Answer(LaneState.BUSY):
            raise StockBusyError(retry_after_seconds=1)
    return None


def decide(requests: Sequence[_Request]) -> list[_Answer]:
    """Decide requests in their order, in one statement.

    :raises UnavailableError: if the database cannot answer.
    """
    lines = [(number, demand) for number, request in enumerate(requests, 1) for demand in request.demands]
    params = {
        "owners": array_text(request.owner for request in requests),
        "ids": array_text(request.reservation_id for request in requests),
        "lives": array_text(request.ttl_seconds for request in requests),
        "numbers": array_text(number for number, _ in lines),
        "sku_ids": array_text(demand.sku_id for _, demand in lines),
        "quantities": array_text(demand.quantity for _, demand in lines),
        "hot": array_text({sku_id for request in requests for sku_id in request.hot}),
    }
    try:
        with failures_named(StockBusyError):
            found = statement(DECIDE, params, keeps_plan=True)
    except StockBusyError:
        return [_Answer(LaneState.BUSY)] * len(requests)
    except DatabaseError:
        # One of them cannot even be asked. Each for itself, so that the others do not suffer.
        logger.exception("lane_batch_failed")
        return [_Answer(LaneState.ELSEWHERE)] * len(requests)
    return [_Answer(LaneState(state), short, created, expires) for state, short, created, expires in found]


_lanes: dict[str, Combiner[_Request, _Answer]] = {}
"""This process's, by SKU: as many as were ever hot."""


def _lane(sku_id: str) -> Combiner[_Request, _Answer]:
    return _lanes.get(sku_id) or _lanes.setdefault(sku_id, Combiner(decide))
