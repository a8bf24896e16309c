"""CACHE_URL as Django's CACHES: may be lost, may be slow, never stops a page."""

from __future__ import annotations

from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry


def cache(url: str, *, prefix: str = "") -> dict[str, Any]:
    """Describe the cache at `url`.

    Half a second and no retry: the client's own defaults let a frozen server cost ten seconds a call.
    JSON, because whoever can write to a pickle runs code in the shop. A failing cache is a cache that knows nothing.
    """
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": prefix,
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
            "IGNORE_EXCEPTIONS": True,
            "LOG_IGNORED_EXCEPTIONS": True,
        },
    }
