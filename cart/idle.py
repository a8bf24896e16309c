"""Carts that were left alone, as PostgreSQL knows them: in order of their last activity, and read under a lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models.functions import Now
from django.db.transaction import TransactionManagementError

from cart.codec import line_to_row, row_to_line, to_micros, value_of_rows
from cart.models import CartRecord
from cart.types import CartLine, CartRef
from shop.core.db import columns_of, instance_of, prepared

# The conditions are those of the index `cart_idle_scan`, word for word.
IDLE = """
SELECT id, user_id, content_version, last_activity_at, currency, value_minor
  FROM cart_cartrecord
 WHERE state = 'active' AND user_id IS NOT NULL AND units > 0
   AND last_activity_at < %(before)s AND last_activity_at >= %(since)s
   AND (last_activity_at, id) > (%(after_at)s, %(after_id)s)
 ORDER BY last_activity_at, id LIMIT %(limit)s
"""
COUNT = """
SELECT count(*) FROM cart_cartrecord
 WHERE state = 'active' AND user_id IS NOT NULL AND units > 0 AND last_activity_at >= %(since)s
"""
LOCK = f"SELECT {columns_of(CartRecord, 'r')} FROM cart_cartrecord r WHERE r.id = %(id)s FOR NO KEY UPDATE"  # noqa: S608


class IdleCart(NamedTuple):
    """A customer's cart that nobody touched for a while. A tuple: millions are made, in a quarter of the time."""

    record_id: int
    user_id: int
    content_version: int
    last_activity_at: datetime
    currency: str
    value_minor: int


@dataclass(frozen=True, slots=True)
class RecordedCart:
    """A cart as last recorded, with its lines."""

    record_id: int
    user_id: int | None
    state: str
    units: int
    content_version: int
    currency: str
    value_minor: int
    last_activity_at: datetime
    lines: tuple[CartLine, ...]


def list_idle(*, before: datetime, since: datetime, after: tuple[datetime, int], limit: int) -> tuple[IdleCart, ...]:
    """List customers' filled carts whose last activity lies in [since, before), oldest first, behind `after`.

    One query on a partial index; it costs the same wherever in the table it goes on.
    """
    params = {"before": before, "since": since, "after_at": after[0], "after_id": after[1], "limit": limit}
    return tuple(map(IdleCart._make, prepared(IDLE, params, is_binary=True)))


def count_idle(*, since: datetime) -> int:
    """Count customers' filled carts that were touched last since then, and not ordered (one query on an index)."""
    ((n,),) = prepared(COUNT, {"since": since})
    return int(n)


def lock_record(*, record_id: int) -> RecordedCart | None:
    """Read a record under the lock that an order takes first, so that the two follow one another; None if it is gone.

    :raises TransactionManagementError: if there is no transaction.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("a lock is held until a transaction ends")
    found = prepared(LOCK, {"id": record_id})
    return _recorded(instance_of(CartRecord, found[0])) if found else None


def find_recorded(*, user_id: int) -> RecordedCart | None:
    """Read a customer's live record, without a lock; None if there is none."""
    mine = CartRecord.objects.filter(owner=CartRef("u", str(user_id)).owner)
    record = mine.exclude(state=CartRecord.State.CONVERTED).first()
    return _recorded(record) if record else None


def put_idle_record(*, user_id: int, lines: Sequence[CartLine], last_activity_at: datetime, currency: str) -> bool:
    """Write the record of a cart that a customer left at a time in the past; False if the customer has one already.

    For demonstrations and tests: Redis takes it over when the cart is next asked for.
    """
    version = to_micros(last_activity_at)
    ref = CartRef("u", str(user_id))
    with transaction.atomic():
        if CartRecord.objects.filter(owner=ref.owner).exclude(state=CartRecord.State.CONVERTED).exists():
            return False
        CartRecord.objects.create(
            owner=ref.owner,
            user_id=user_id,
            version=version,
            content_version=version,
            lines=[line_to_row(line) for line in lines],
            units=sum(line.quantity for line in lines),
            value_minor=value_of_rows(map(line_to_row, lines), currency),
            currency=currency,
            last_activity_at=last_activity_at,
        )
    return True


def age_records(*, seconds: int) -> int:
    """Make all customers' recorded carts look so many seconds older; tell how many. For a developer's machine."""
    mine = CartRecord.objects.filter(state=CartRecord.State.ACTIVE, user_id__isnull=False, units__gt=0)
    return mine.update(last_activity_at=Now() - timedelta(seconds=seconds))


def _recorded(record: CartRecord) -> RecordedCart:
    return RecordedCart(
        record_id=record.pk,
        user_id=record.user_id,
        state=record.state,
        units=record.units,
        content_version=record.content_version,
        currency=record.currency,
        value_minor=record.value_minor,
        last_activity_at=record.last_activity_at,
        lines=tuple(row_to_line(row) for row in record.lines),
    )
