"""Counts of what happens too often to be rows: refusals and long waits, by SKU, in the cache's Redis.

A lost count refuses nobody and sells nothing: when the cache does not answer, nothing is counted.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection
from enum import StrEnum

from django.core.cache import caches
from django_redis import get_redis_connection
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

BUCKET_SECONDS = 600
KEPT_BUCKETS = 6
REST_SECONDS = 5.0
"""How long a cache that did not answer is left alone."""

_resting_until = 0.0


class Event(StrEnum):
    """What is counted."""

    REFUSED = "refused"
    WAITED = "waited"


def count(event: Event, sku_ids: Collection[str]) -> dict[str, int]:
    """Count one more for each SKU; how often it was within these ten minutes (one round trip). Empty: not counted."""
    global _resting_until  # noqa: PLW0603 - one flag a process
    if not sku_ids or time.monotonic() < _resting_until:
        return {}
    total, bucket = _total_key(event), _bucket_key(event, _bucket())
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        for sku_id in sku_ids:
            pipeline.hincrby(bucket, sku_id, 1)
        for sku_id in sku_ids:
            pipeline.hincrby(total, sku_id, 1)
        pipeline.expire(bucket, BUCKET_SECONDS * (KEPT_BUCKETS + 1))
        answer = pipeline.execute()
    except RedisError as error:
        _resting_until = time.monotonic() + REST_SECONDS
        logger.warning("stock_events_not_counted", exc_info=error)
        return {}
    return dict(zip(sku_ids, (int(number) for number in answer), strict=False))


def totals(event: Event) -> dict[str, int]:
    """Give for each SKU how often it ever was, as far as the cache remembers (one round trip)."""
    try:
        found = get_redis_connection("default").hgetall(_total_key(event))
    except RedisError as error:
        logger.warning("stock_events_not_read", exc_info=error)
        return {}
    return {sku_id.decode(): int(number) for sku_id, number in found.items()}


def recent(event: Event, sku_id: str) -> int:
    """Tell how often it was within the last hour, to ten minutes (one round trip)."""
    last = _bucket()
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        for bucket in range(last - KEPT_BUCKETS + 1, last + 1):
            pipeline.hget(_bucket_key(event, bucket), sku_id)
        return sum(int(number or 0) for number in pipeline.execute())
    except RedisError as error:
        logger.warning("stock_events_not_read", exc_info=error)
        return 0


def all_recent(event: Event) -> dict[str, int]:
    """Give for each SKU how often it was within the last hour, to ten minutes (one round trip)."""
    last = _bucket()
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        for bucket in range(last - KEPT_BUCKETS + 1, last + 1):
            pipeline.hgetall(_bucket_key(event, bucket))
        found = pipeline.execute()
    except RedisError as error:
        logger.warning("stock_events_not_read", exc_info=error)
        return {}
    summed = Counter[str]()
    for counted in found:
        summed.update({sku_id.decode(): int(number) for sku_id, number in counted.items()})
    return dict(summed)


def _bucket() -> int:
    return int(time.time()) // BUCKET_SECONDS


def _total_key(event: Event) -> str:
    return str(caches["default"].make_key(f"stock:{event}"))


def _bucket_key(event: Event, bucket: int) -> str:
    return str(caches["default"].make_key(f"stock:{event}:{bucket}"))
