"""The backend that `DATABASES` names."""

from __future__ import annotations

import select
from typing import Any, ClassVar

import psycopg
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


def check(connection: psycopg.Connection[Any]) -> None:
    """Make sure that an idle connection lives before it is used, without a round trip where nothing speaks against it.

    A server that ends a connection says so, and nothing else is said on an idle one: where there is something to
    read, the server is asked. Django's own check (`CONN_HEALTH_CHECKS`) asks it before every request.

    :raises psycopg.OperationalError: if it does not live.
    """
    sign = select.poll()
    sign.register(connection.fileno(), select.POLLIN)
    if sign.poll(0):
        ConnectionPool.check_connection(connection)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, but for how its pool checks connections."""

    _connection_pools: ClassVar[dict[str, ConnectionPool[Any]]]

    @property
    def pool(self) -> ConnectionPool[Any] | None:
        """The process's pool, None if the settings want none."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            made = ConnectionPool[Any](
                kwargs={**self.get_connection_params(), "autocommit": True},
                open=False,
                configure=self._configure_connection,  # type: ignore[attr-defined]  # the stubs lack it
                check=check,
                **options,
            )
            # Of several threads that come first at once, one wins; nothing is open yet.
            self._connection_pools.setdefault(self.alias, made)
        return self._connection_pools[self.alias]
