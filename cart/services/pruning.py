"""Deleting records that nobody comes back to."""

from __future__ import annotations

from datetime import datetime, timedelta

from cart.conf import conf
from cart.models import CartEvent, CartRecord

BATCH = 1_000


def prune_records(*, now: datetime, batch: int = BATCH) -> int:
    """Delete guests' records whose cart and saved list have outlived their time; tell how many.

    Customers' records and what was ordered stay. In batches, so that no transaction is long.
    """
    before = now - timedelta(days=conf().saved_ttl_days)
    deleted = 0
    while True:
        old = CartRecord.objects.filter(user_id__isnull=True, last_activity_at__lt=before).exclude(
            state=CartRecord.State.CONVERTED
        )
        ids = list(old.order_by("last_activity_at").values_list("id", flat=True)[:batch])
        if not ids:
            return deleted
        # Touched since it was listed: not old any more.
        count, _ = CartRecord.objects.filter(id__in=ids, last_activity_at__lt=before).delete()
        deleted += count
        if not count:
            return deleted


def prune_history(*, now: datetime, batch: int = BATCH) -> int:
    """Delete changes of carts that are older than the history is kept; tell how many. In batches as well."""
    before = now - timedelta(days=conf().history_days)
    deleted = 0
    while True:
        ids = list(CartEvent.objects.filter(at__lt=before).order_by("at").values_list("id", flat=True)[:batch])
        count = CartEvent.objects.filter(id__in=ids).delete()[0] if ids else 0
        deleted += count
        if not count:
            return deleted
