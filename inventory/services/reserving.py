"""Keep units for an owner: one statement, all or nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from django.db import IntegrityError, connection, transaction

from inventory import store
from inventory.conf import conf
from inventory.errors import InsufficientStockError, Shortage, StockBusyError
from inventory.rules import sum_demands
from inventory.selectors import availability
from inventory.services.heating import find_hot, note_wait
from inventory.services.lane import pass_lane
from inventory.types import ReservationState, ReservationView, StockDemand
from shop.core.db import failures_named, statement
from shop.core.errors import ErrorDetail
from shop.core.ids import new_id

# Locks: the owner's own soft reservation, then the stock rows that change, by ascending SKU. `locked` gives counters as
# they are under the lock, so `short` is exact; should it ever be wrong, the CHECK on the row rolls everything back.
# `taken` writes from `locked`, not from the row: PostgreSQL first computes an update, and its CHECK, from the version
# of the row that the statement began with, which may have less in stock than the version that is locked.
# Lines never change once written, so what `had` reads cannot be stale.
# With several locations the rows of SKUs that stay as they are count as needed too: their lines move all the same.
# `= ANY(ARRAY(…))` is what a join would say too, but a planner that expects many rows of a list would read all stock.
RESERVE = """
WITH want AS MATERIALIZED (
       SELECT sku_id, quantity FROM unnest(%(sku_ids)s::text[], %(quantities)s::int[]) AS w (sku_id, quantity)),
     own AS MATERIALIZED (
       SELECT r.id, r.created_at, r.expires_at, r.pinned_until, r.renewals,
              r.expires_at <= clock_timestamp() AS is_overdue
         FROM inventory_reservation r WHERE r.owner = %(owner)s AND r.state = 'soft' FOR UPDATE),
     had AS MATERIALIZED (
       SELECT l.sku_id::text, l.quantity FROM inventory_reservationline l JOIN own ON l.reservation_id = own.id),
     same AS MATERIALIZED (
       SELECT own.* FROM own
        WHERE NOT is_overdue
          AND NOT EXISTS (SELECT * FROM want EXCEPT SELECT * FROM had)
          AND NOT EXISTS (SELECT * FROM had EXCEPT SELECT * FROM want)),
     need AS MATERIALIZED (
       SELECT sku_id, sum(quantity)::int AS delta
         FROM (SELECT sku_id, quantity FROM want UNION ALL SELECT sku_id, -quantity FROM had) AS u
        WHERE NOT EXISTS (SELECT FROM same)
        GROUP BY sku_id HAVING sum(quantity) <> 0 OR EXISTS (SELECT FROM inventory_location)),
     locked AS MATERIALIZED (
       SELECT s.sku_id, s.on_hand, s.reserved, s.on_hand - s.reserved AS available
         FROM inventory_stockitem s WHERE s.sku_id = ANY(ARRAY(SELECT sku_id FROM need)) ORDER BY s.sku_id FOR UPDATE),
     short AS MATERIALIZED (
       SELECT w.sku_id, w.quantity, coalesce(l.available, 0) + coalesce(h.quantity, 0) AS available
         FROM want w
         JOIN need n USING (sku_id) LEFT JOIN locked l USING (sku_id) LEFT JOIN had h USING (sku_id)
        WHERE n.delta > coalesce(l.available, 0)),
     fits AS MATERIALIZED (
       SELECT clock_timestamp() AS at WHERE NOT EXISTS (SELECT FROM short) AND NOT EXISTS (SELECT FROM same)),
     taken AS (
       UPDATE inventory_stockitem s SET on_hand = l.on_hand, reserved = l.reserved + n.delta
         FROM need n JOIN locked l USING (sku_id), fits
        WHERE s.sku_id = n.sku_id AND s.sku_id = ANY(ARRAY(SELECT sku_id FROM need))),
     ended AS (
       UPDATE inventory_reservation r
          SET state = CASE WHEN own.is_overdue THEN 'expired' ELSE 'released' END,
              cause = CASE WHEN own.is_overdue THEN 'overdue' ELSE 'replaced' END, ended_at = fits.at
         FROM own, fits WHERE r.id = own.id RETURNING r.id),
     dead AS (
       UPDATE inventory_reservationline l SET is_live = false FROM ended WHERE l.reservation_id = ended.id RETURNING 1),
     made AS (
       INSERT INTO inventory_reservation (id, owner, state, created_at, expires_at, pinned_until, renewals, cause)
       SELECT %(id)s, %(owner)s, 'soft', fits.at,
              coalesce(own.expires_at, fits.at + make_interval(secs => %(ttl_seconds)s)),
              own.pinned_until, coalesce(own.renewals, 0), ''
         FROM fits LEFT JOIN own ON NOT own.is_overdue
        WHERE (SELECT count(*) FROM ended) >= 0  -- first the old one ends: one soft reservation an owner
       RETURNING id, created_at, expires_at, pinned_until, renewals),
     lines AS (
       INSERT INTO inventory_reservationline (reservation_id, sku_id, quantity, is_live)
       SELECT made.id, w.sku_id, w.quantity, true FROM made, want w
        WHERE (SELECT count(*) FROM dead) >= 0)  -- first the old lines leave their locations
SELECT r.*, (SELECT json_agg(json_build_array(sku_id, quantity, available) ORDER BY sku_id) FROM short)
  FROM (SELECT) AS one LEFT JOIN (
       SELECT id, created_at, expires_at, pinned_until, renewals FROM made UNION ALL
       SELECT id, created_at, expires_at, pinned_until, renewals FROM same) AS r ON true
"""

# Overdue reservations that hold a wanted SKU end here when the sweep has not met them yet. The wanted stock rows are
# locked together with those given back, so that a reservation in the same transaction locks nothing further.
TAKE_OVER = """
WITH overdue AS MATERIALIZED (
       SELECT r.id FROM inventory_reservation r
        WHERE r.state = 'soft' AND r.expires_at <= clock_timestamp()
          AND r.id IN (SELECT l.reservation_id FROM inventory_reservationline l
                        WHERE l.is_live AND l.sku_id = ANY(%(sku_ids)s))
        ORDER BY r.expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
     moved AS (
       UPDATE inventory_reservation r SET state = 'expired', cause = 'taken_over', ended_at = clock_timestamp()
         FROM overdue o WHERE r.id = o.id AND r.state = 'soft' RETURNING r.id),
     ended AS (
       UPDATE inventory_reservationline l SET is_live = false
         FROM moved WHERE l.reservation_id = moved.id RETURNING l.sku_id, l.quantity),
     back AS MATERIALIZED (SELECT sku_id, sum(quantity)::int AS quantity FROM ended GROUP BY sku_id),
     locked AS MATERIALIZED (
       SELECT s.sku_id FROM inventory_stockitem s
        WHERE s.sku_id = ANY(%(sku_ids)s::text[] || ARRAY(SELECT sku_id FROM back)) ORDER BY s.sku_id FOR UPDATE),
     given AS (
       UPDATE inventory_stockitem s SET reserved = s.reserved - b.quantity
         FROM back b JOIN locked USING (sku_id)
        WHERE s.sku_id = b.sku_id AND s.sku_id = ANY(ARRAY(SELECT sku_id FROM back)))
SELECT count(*) FROM moved
"""
TAKE_OVER_LIMIT = 500
OWNER_TRIES = 3
LONG_WAIT_SECONDS = 0.1
"""A reservation that takes longer has waited for others."""


def reserve(*, demands: Sequence[StockDemand], owner: str, ttl_seconds: int | None = None) -> ReservationView:
    """Reserve all demands, summed per SKU, for `owner`, or nothing at all.

    An owner has one soft reservation at most. If it is live and the same is wanted again, it is given back as it is.
    If something else is wanted, another one takes its place, with its end and renewals; only the difference has to be
    in stock, and without it the old one stays. One that is overdue counts as ended: the new one lives `ttl_seconds`
    (default: `INVENTORY_SOFT_TTL_SECONDS`). When units are short, overdue reservations of others are ended first.

    Alone it commits by itself, and a hot SKU is reserved through its lane; inside a transaction it is part of that, and
    a refusal leaves no lock behind.

    :raises InsufficientStockError: if a SKU is short (one detail `short` each, at `/items/<sku>`).
    :raises StockBusyError: if others keep the stock rows locked, or the owner asks for many different things at once.
    :raises ValueError: if nothing is wanted, or a quantity is below 1.
    """
    wanted = sum_demands(demands)
    params: dict[str, Any] = {
        "owner": owner,
        "sku_ids": [demand.sku_id for demand in wanted],
        "quantities": [demand.quantity for demand in wanted],
        "ttl_seconds": conf().soft_ttl_seconds if ttl_seconds is None else ttl_seconds,
    }
    started = time.monotonic()
    try:
        with failures_named(StockBusyError):
            return _through_lane(params, wanted) or _reserved(params, wanted)
    except InsufficientStockError as refusal:
        # One short round trip to the cache, though the rule keeps those out of transactions: this one is over, all but
        # its rollback.
        store.count(store.Event.REFUSED, [shortage.sku_id for shortage in refusal.shortages])
        raise
    finally:
        if time.monotonic() - started > LONG_WAIT_SECONDS:
            note_wait(params["sku_ids"])


def reserve_ahead(*, demands: Sequence[StockDemand], owner: str) -> bool:
    """Reserve before a transaction if one of the SKUs is hot; tell whether that was done.

    `reserve` of the same demands for the same owner, in that transaction, finds the reservation and locks no stock row
    for as long as the transaction lasts. If the transaction fails, the caller releases the reservation by its owner
    (`release_owner`); if the caller dies, it ends like any other.

    :raises InsufficientStockError: as `reserve` does.
    :raises StockBusyError: as `reserve` does, or if its turn in the lane does not come.
    """
    if not find_hot([demand.sku_id for demand in demands]):
        return False
    reserve(demands=demands, owner=owner)
    return True


def _through_lane(params: dict[str, Any], wanted: tuple[StockDemand, ...]) -> ReservationView | None:
    hot = () if connection.in_atomic_block else find_hot(params["sku_ids"])
    if not hot:
        return None
    try:
        return pass_lane(hot=hot, owner=params["owner"], demands=wanted, ttl_seconds=params["ttl_seconds"])
    except InsufficientStockError as short:
        raise _told(short, params["owner"]) from None


def _reserved(params: dict[str, Any], wanted: tuple[StockDemand, ...]) -> ReservationView:
    try:
        return _attempt(params, wanted)
    except InsufficientStockError as first:
        if not _take_over(params):
            raise _told(first, params["owner"]) from None
    try:
        return _attempt(params, wanted)
    except InsufficientStockError as second:
        raise _told(second, params["owner"]) from None


def _attempt(params: dict[str, Any], wanted: tuple[StockDemand, ...]) -> ReservationView:
    for _ in range(OWNER_TRIES):
        try:
            return _attempt_once(params, wanted)
        except IntegrityError as error:
            # Another request of the same owner was quicker; its reservation is visible to the next statement.
            if "one_soft_reservation_an_owner" not in str(error):
                raise
    raise StockBusyError(retry_after_seconds=1)


def _attempt_once(params: dict[str, Any], wanted: tuple[StockDemand, ...]) -> ReservationView:
    # The savepoint gives locks back on a refusal; alone, the statement's own end does.
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        ((reservation_id, created_at, expires_at, pinned_until, renewals, short),) = statement(
            RESERVE, {**params, "id": new_id("res")}, keeps_plan=True
        )
        if short:
            raise InsufficientStockError(
                tuple(Shortage(sku_id, requested, available, None) for sku_id, requested, available in short)
            )
    return ReservationView(
        reservation_id=reservation_id,
        owner=params["owner"],
        state=ReservationState.SOFT,
        lines=wanted,
        created_at=created_at,
        expires_at=expires_at,
        renewals=renewals,
        pinned_until=pinned_until,
    )


def _take_over(params: dict[str, Any]) -> int:
    ((count,),) = statement(TAKE_OVER, {"sku_ids": params["sku_ids"], "limit": TAKE_OVER_LIMIT})
    return int(count)


def _told(error: InsufficientStockError, owner: str) -> InsufficientStockError:
    """Add when units may come back, and the details that page and API show."""
    now = availability(sku_ids=[shortage.sku_id for shortage in error.shortages], owner=owner)
    shortages = tuple(
        Shortage(s.sku_id, s.requested, s.available, now[s.sku_id].retry_after_seconds) for s in error.shortages
    )
    return InsufficientStockError(
        shortages,
        errors=tuple(
            ErrorDetail(
                f"/items/{s.sku_id}",
                "short",
                {"requested": s.requested, "buyable": s.available, "retry_after": s.retry_after_seconds},
            )
            for s in shortages
        ),
    )
