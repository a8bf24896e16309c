"""Forget a customer's cart and saved list, live and recorded, for good."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from cart import store
from cart.codec import to_micros
from cart.models import CartEvent, CartRecord, DeadLetter
from cart.types import CartRef
from shop.core.db import rows

# Where the record is missing an event of before may still be on its way: it meets this row, which is final.
_BURY = """
INSERT INTO cart_cartrecord AS r
       (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor, currency,
        last_activity_at, state)
VALUES (%(owner)s, NULL, %(version)s, %(version)s, '[]', '[]', '{}', '[]', 0, 0, '', %(now)s, 'merged')
    ON CONFLICT (owner) WHERE state <> 'converted' DO UPDATE
   SET user_id = NULL, version = greatest(r.version, excluded.version), content_version = excluded.content_version,
       lines = '[]', saved = '[]', marks = '{}', ordered = '[]', units = 0, value_minor = 0,
       last_activity_at = excluded.last_activity_at, state = 'merged', recorded_at = now()
RETURNING id
"""


def forget_customer(*, user_id: int, now: datetime) -> None:
    """Empty a customer's cart and saved list in Redis and PostgreSQL, and delete their history. Safe to repeat.

    What is left is the mark of a cart that takes no more changes, as a guest's after a merge: neither a request that
    is under way nor the recorder, which writes later, brings a line back. It names nobody, and goes as guests' records
    do. The caller has closed the account, so that nobody makes another cart.

    :raises CartsUnavailableError: if Redis cannot answer now; PostgreSQL is as it was.
    """
    owner = CartRef("u", str(user_id)).owner
    version = to_micros(now)
    while not store.bury(owner=owner, version=version):
        # Redis tells the time of its versions itself, and its clock may go before ours.
        version = store.read_version(owner) + 1
    with transaction.atomic():
        rows(_BURY, {"owner": owner, "version": version, "now": now})
        CartRecord.objects.filter(user_id=user_id).update(user_id=None, saved=[], marks={})
        CartEvent.objects.filter(owner=owner).delete()
        DeadLetter.objects.filter(owner=owner).delete()
