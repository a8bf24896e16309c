"""What stands in the servers, as a whole: for tests of what must stand nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import redis
from django.db import connection


def all_rows() -> str:
    """Read all rows of all tables, as text."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return rows_of(names)


def rows_of(tables: Iterable[str]) -> str:
    """Read all rows of these tables, as text."""
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - the database's own names
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def all_keys(client: redis.Redis) -> str:
    """Read all of a Redis database, names and values, as text."""
    read: dict[str, Callable[[str], object]] = {
        "string": client.get,
        "hash": client.hgetall,
        "stream": client.xrange,
        "set": client.smembers,
        "list": lambda name: client.lrange(name, 0, -1),
        "zset": lambda name: client.zrange(name, 0, -1),
    }
    return "\n".join(f"{name} {read[str(client.type(name))](name)}" for name in map(str, client.scan_iter()))
