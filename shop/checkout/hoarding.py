"""Caps against hoarding by many guests from one network address: who reserves from where, for two hours.

The address is kept as a keyed hash, in the cache, and forgotten. A cache that does not answer refuses nobody. Whoever
is about to reserve says so in the same step in which it reads who came before, so that of two at the very same moment
the second counts the first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.core.cache import caches
from django.utils.crypto import salted_hmac
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from inventory import watching as stock
from shop.checkout.conf import conf
from shop.checkout.errors import AddressLimitError

log = logging.getLogger(__name__)

KEPT_SECONDS = 7_200
"""A reservation renewed as often as it may be lives no longer."""
LEASE_SECONDS = 60
"""Longer than any reserving takes: for so long one whose process died counts as being about to reserve."""
MOST = 5_000
RETRY_SECONDS = 120


@contextmanager
def room_for(*, network_address: str, checkout_id: str, units: int, now: datetime) -> Iterator[None]:
    """Reserve, in the block, `units` for a checkout, unless its address holds as much as it may without it.

    A checkout that has as many units already goes on with them, however full its address is.
    One round trip to the cache before and one after the block; one query if somebody reserved from there lately.

    :raises AddressLimitError: if there is no room; the block is not run.
    """
    is_capped = conf().address_checkouts or conf().address_units
    before = _announce(network_address, checkout_id, units, now) if network_address and is_capped else None
    try:
        if before is not None:
            _require_room(before, checkout_id, units)
        yield
    finally:
        if before is not None:
            _conclude(network_address, checkout_id, units)


def _require_room(before: tuple[dict[str, int], set[str]], checkout_id: str, units: int) -> None:
    pending, started = before
    held = stock.units_held(owners=started) if started else {}
    if 0 < units <= held.get(checkout_id, 0):
        return
    # Whoever is about to reserve counts with what it wants, not with what it has by now.
    others = {owner: count for owner, count in {**held, **pending}.items() if owner != checkout_id}
    checkouts, most = conf().address_checkouts, conf().address_units
    if (checkouts and len(others) >= checkouts) or (most and sum(others.values()) + units > most):
        raise AddressLimitError(retry_after_seconds=RETRY_SECONDS)


def _announce(
    network_address: str, checkout_id: str, units: int, now: datetime
) -> tuple[dict[str, int], set[str]] | None:
    """Say that a checkout is about to reserve; give who was before it, with their units, and who started lately."""
    pending, started = _keys(network_address)
    moment = now.timestamp()
    try:
        with get_redis_connection("default").pipeline(transaction=True) as step:
            step.zremrangebyscore(pending, "-inf", moment)
            step.zrange(pending, 0, MOST)
            step.zadd(pending, {f"{checkout_id} {units}": moment + LEASE_SECONDS})
            step.expire(pending, LEASE_SECONDS)
            step.zremrangebyscore(started, "-inf", moment - KEPT_SECONDS)
            step.zadd(started, {checkout_id: moment})
            step.zrevrange(started, 0, MOST)
            step.expire(started, KEPT_SECONDS)
            answers = step.execute()
    except RedisError as error:
        log.warning("hoarding_not_counted", exc_info=error)
        return None
    came_before = (entry.decode().split() for entry in answers[1])
    return {owner: int(wanted) for owner, wanted in came_before}, {owner.decode() for owner in answers[6]}


def _conclude(network_address: str, checkout_id: str, units: int) -> None:
    """Say that a checkout has reserved, or was refused; either way the database knows what it holds."""
    try:
        get_redis_connection("default").zrem(_keys(network_address)[0], f"{checkout_id} {units}")
    except RedisError as error:
        log.warning("hoarding_not_counted", exc_info=error)


def _keys(network_address: str) -> tuple[str, str]:
    name = salted_hmac("checkout.hoarding", network_address, algorithm="sha256").hexdigest()[:32]
    make = caches["default"].make_key
    return str(make(f"checkout:reserving:{{{name}}}")), str(make(f"checkout:started:{{{name}}}"))
