"""The backend that `DATABASES` names."""

from __future__ import annotations

import select
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar

import psycopg
from django.db import OperationalError
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
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


class _Errors(DatabaseErrorWrapper):
    """Django's, but a server that takes no changes is named as one that cannot answer, not as a fault of the shop.

    It was demoted, or whoever runs it lets it be read only because its disk is full. Its connection is closed, so that
    the next one finds the server that took over.
    """

    wrapper: base.DatabaseWrapper

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise what was raised by Django's name for it."""
        if isinstance(exc_value, psycopg.errors.ReadOnlySqlTransaction):
            self.wrapper.errors_occurred = True
            self.wrapper.connection.close()  # a pool throws away what comes back closed
            self.wrapper.close()
            raise OperationalError(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, but for how its pool checks connections, and for a server that takes no changes."""

    _connection_pools: ClassVar[dict[str, ConnectionPool[Any]]]

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """What names the errors of the driver."""
        return _Errors(self)

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
