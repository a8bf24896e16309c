"""The pool of connections: a dead one is never given out, a living one is not asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from psycopg_pool import ConnectionPool

from shop.core.postgresql.base import DatabaseWrapper
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def pooled() -> Iterator[DatabaseWrapper]:
    """Give a database of the test's own, with a pool of one connection."""
    options = {
        **connection.settings_dict["OPTIONS"],
        "pool": {"min_size": 1, "max_size": 1, "timeout": PATIENCE_SECONDS},
    }
    database = DatabaseWrapper({**connection.settings_dict, "OPTIONS": options}, alias=connection.alias)
    yield database
    database.close()
    database.close_pool()


def _process(database: DatabaseWrapper) -> int:
    """Do what a request does: take a connection, ask something, give it back."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((process,),) = cursor.fetchall()
    database.close()
    return int(process)


def _is_there(process: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees one picture of who is there
        cursor.execute("SELECT pid FROM pg_stat_get_activity(%s)", [process])
        return bool(cursor.fetchall())


def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used(pooled: DatabaseWrapper) -> None:
    first = _process(pooled)
    assert _process(pooled) == first
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [first])
    wait_until(lambda: not _is_there(first))
    assert _process(pooled) != first


def test_a_connection_that_lives_is_not_asked_whether_it_does(
    pooled: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _process(pooled)

    def ask(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(ConnectionPool, "check_connection", ask)
    assert _process(pooled) == first


def test_a_server_that_takes_no_changes_cannot_answer_and_is_not_asked_again(pooled: DatabaseWrapper) -> None:
    first = _process(pooled)
    with pooled.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        with pytest.raises(OperationalError, match="read-only"):
            cursor.execute("CREATE TABLE nobodys ()")
    pooled.close()

    assert _process(pooled) != first
