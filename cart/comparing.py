"""Compares Redis with the records after Redis was started anew: it may have come back with an older file."""

from __future__ import annotations

import logging
from datetime import timedelta

from cart import holding, restoring, server, store
from cart.conf import conf
from cart.models import CartRecord
from cart.restoring import to_fields
from shop.core import clock

BATCH = 500

log = logging.getLogger(__name__)


def compare_if_restarted() -> int:
    """Compare all carts if the server's run id is not the one of the last comparison; tell how many were put right.

    Several processes may do it at once: restoring never overwrites what is as new or newer.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    run = server.run_id()
    if run == server.read_epoch():
        return 0
    restored = compare()
    server.write_epoch(run)
    log.info("carts_compared", extra={"restored": restored})
    return restored


def compare() -> int:
    """Put back carts that Redis holds older than their record, and clear what was ordered; tell how many.

    Carts that Redis does not hold at all are restored when somebody asks for them.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    since = clock.now() - timedelta(days=conf().ttl_days)
    records = CartRecord.objects.filter(last_activity_at__gte=since).exclude(state=CartRecord.State.CONVERTED)
    restored, last_id = 0, 0
    while batch := list(records.filter(id__gt=last_id).order_by("id")[:BATCH]):
        last_id = batch[-1].id
        missing: list[str] = []
        held = holding.versions([record.owner for record in batch])
        for record in batch:
            version = held.get(record.owner)
            if version is None:
                missing.append(record.owner)
                continue
            if version < record.version:
                stored = to_fields(record)
                store.restore(owner=record.owner, version=stored.version, cart=stored.cart, saved=stored.saved)
                restored += 1
            else:
                for order in record.ordered:
                    restoring.clear_order(record.owner, order)
        # An older file may say that there was nothing to restore: that was before these were recorded.
        holding.forget_none(missing)
    return restored
