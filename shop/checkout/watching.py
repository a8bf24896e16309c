"""Reads for those who watch over sales: how far checkouts came, what waits for staff, and how old undone work is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shop.checkout.types import Backlog
from shop.core.db import rows

UNDECIDED_AFTER = timedelta(minutes=5)
"""A payment without an answer for so long is for people to look at."""

_STEPS = """
SELECT count(*), count(*) FILTER (WHERE EXISTS (
         SELECT FROM checkout_payment p WHERE p.checkout_id = c.checkout_id)),
       count(*) FILTER (WHERE state = 'completed'),
       count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'cancelled'),
       (SELECT count(*) FROM checkout_order WHERE placed_at >= %(since)s AND placed_at < %(until)s)
  FROM checkout_checkout c WHERE created_at >= %(since)s AND created_at < %(until)s
"""

_WAITING = """
SELECT (SELECT count(*) FROM checkout_payment WHERE state = 'review'),
       (SELECT count(*) FROM checkout_payment WHERE state IN ('created', 'processing', 'requires_action')
           AND created_at < %(undecided_before)s),
       (SELECT count(*) FROM checkout_refundrequest WHERE state = 'asked'),
       (SELECT count(*) FROM checkout_webhookevent WHERE state = 'parked')
"""

# Each part is the first entry of a partial index. A payment that is due this very second is not late.
_OLDEST = """
SELECT (SELECT min(received_at) FROM checkout_webhookevent WHERE state = 'received'),
       (SELECT min(next_check_at) FROM checkout_payment WHERE next_check_at < %(now)s - interval '1 second'),
       (SELECT min(placed_at) FROM checkout_order WHERE cart_cleared_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Steps:
    """How far the checkouts came that began in a while, and how many orders were placed in it."""

    started: int
    paying: int
    """Of them, those with at least one try to pay."""
    completed: int
    expired: int
    cancelled: int
    orders: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a member of staff, in numbers."""

    reviews: int
    """Payments that do not add up."""
    undecided: int
    """Payments that have had no answer for five minutes."""
    refunds: int
    """Refunds that want a second person."""
    parked: int
    """News of the provider that fit nothing of ours."""


def count_steps(*, since: datetime, until: datetime) -> Steps:
    """Count checkouts that began, and orders placed, between these times (one query)."""
    return Steps(*map(int, rows(_STEPS, {"since": since, "until": until})[0]))


def count_waiting(*, now: datetime) -> Waiting:
    """Count what waits for a member of staff (one query)."""
    return Waiting(*map(int, rows(_WAITING, {"undecided_before": now - UNDECIDED_AFTER})[0]))


def backlog(*, now: datetime) -> Backlog:
    """Tell how old the oldest undone work is (one query)."""
    return Backlog(
        *(0 if at is None else max(0, int((now - at).total_seconds())) for at in rows(_OLDEST, {"now": now})[0])
    )
