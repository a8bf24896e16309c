"""DATABASE_URL and its time-outs."""

from __future__ import annotations

import environ
import pytest
from django.db import connection

from shop.settings.databases import database


def read(url: str, *, is_pooled: bool = True, **environment: str) -> dict[str, object]:
    """Read the URL in that environment."""
    env = environ.Env()
    env.ENVIRON = environment
    return database(env, url, is_pooled=is_pooled)


def test_a_socket_directory_of_the_url_becomes_the_host() -> None:
    config = read("postgres://postgres@/trolley?host=/run/pg&sslmode=disable")
    assert (config["HOST"], config["NAME"], config["USER"]) == ("/run/pg", "trolley", "postgres")
    assert "host" not in config["OPTIONS"]  # type: ignore[operator]  # OPTIONS is a dict
    assert config["OPTIONS"]["sslmode"] == "disable"  # type: ignore[index]  # the same


def test_time_outs_are_sent_to_the_server_and_can_be_set() -> None:
    options = read("postgres://x@y/z", DATABASE_LOCK_TIMEOUT_MS="1")["OPTIONS"]
    assert options["options"] == (  # type: ignore[index]  # OPTIONS is a dict
        "-c statement_timeout=5000 -c lock_timeout=1 -c idle_in_transaction_session_timeout=10000"
        " -c plan_cache_mode=force_generic_plan"
    )


@pytest.mark.parametrize(("pooled", "size", "has_pool"), [(True, "8", True), (True, "0", False), (False, "8", False)])
def test_the_pool_can_be_switched_off(pooled: bool, size: str, has_pool: bool) -> None:  # noqa: FBT001 - parameters
    options = read("postgres://x@y/z", is_pooled=pooled, DATABASE_POOL_SIZE=size)["OPTIONS"]
    assert ("pool" in options) is has_pool  # type: ignore[operator]  # OPTIONS is a dict


def test_behind_pgbouncer_nothing_is_kept_on_a_session() -> None:
    config = read("postgres://x@y/z", DATABASE_PGBOUNCER="true")
    assert config["OPTIONS"] == {"prepare_threshold": None}
    assert config["DISABLE_SERVER_SIDE_CURSORS"] is True


@pytest.mark.django_db
def test_the_time_outs_are_in_force() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("2min", "1min")  # as shop.settings.test says


def test_a_statement_may_take_five_seconds_and_wait_three_for_a_lock() -> None:
    assert read("postgres://x@y/z")["OPTIONS"]["options"].startswith(  # type: ignore[index]  # OPTIONS is a dict
        "-c statement_timeout=5000 -c lock_timeout=3000 "
    )
