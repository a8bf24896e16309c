"""Caps against hoarding by many guests from one network address: who started a checkout from where, for two hours.

The address is kept as a keyed hash, in the cache, and forgotten. A cache that does not answer refuses nobody. Two that
start at the very same moment may go over a cap by one: a cap keeps hoarders off, it does not guard the stock.
"""

from __future__ import annotations

import logging
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
MOST = 5_000
RETRY_SECONDS = 120


def require_room(*, network_address: str, units: int, now: datetime) -> None:
    """Refuse to reserve `units` more from an address that holds as much as it may.

    One read of the cache; one query if somebody started from there lately.

    :raises AddressLimitError: if there is no room.
    """
    checkouts, most = conf().address_checkouts, conf().address_units
    if not network_address or not (checkouts or most):
        return
    try:
        since = now.timestamp() - KEPT_SECONDS
        started = get_redis_connection("default").zrangebyscore(_key(network_address), since, "+inf", 0, MOST)
    except RedisError as error:
        log.warning("hoarding_not_counted", exc_info=error)
        return
    if not started:
        return
    held = stock.count_held(owners=[checkout_id.decode() for checkout_id in started])
    if (checkouts and held.reservations >= checkouts) or (most and held.units + units > most):
        raise AddressLimitError(retry_after_seconds=RETRY_SECONDS)


def note_start(*, network_address: str, checkout_id: str, now: datetime) -> None:
    """Remember that a checkout was started from an address (one round trip)."""
    if not network_address or not (conf().address_checkouts or conf().address_units):
        return
    key = _key(network_address)
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        pipeline.zadd(key, {checkout_id: now.timestamp()})
        pipeline.zremrangebyscore(key, "-inf", now.timestamp() - KEPT_SECONDS)
        pipeline.expire(key, KEPT_SECONDS)
        pipeline.execute()
    except RedisError as error:
        log.warning("hoarding_not_counted", exc_info=error)


def _key(network_address: str) -> str:
    name = salted_hmac("checkout.hoarding", network_address, algorithm="sha256").hexdigest()[:32]
    return str(caches["default"].make_key(f"checkout:started:{name}"))
