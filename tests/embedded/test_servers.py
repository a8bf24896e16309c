"""The private PostgreSQL and Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from shop.embedded import postgres, redis_server, servers
from shop.embedded.processes import Program, bury, end, has_ended, start
from tests.embedded.helpers import find
from tests.waiting import wait_until


@contextmanager
def durable(directory: Path, *, ending: int | None = None) -> Iterator[Path]:
    """Run both servers as the demo does; end them, or send them the signal."""
    sockets = directory / "run"
    running = [(program, start(program)) for program in servers.programs(directory, sockets, is_durable=True)]
    try:
        for program, process in running:
            servers.wait_until_ready(program, process, sockets)
        yield sockets
    finally:
        for program, process in running:
            if ending is None:
                end(process, stop_signal=program.stop_signal, grace_seconds=20)
            else:
                process.send_signal(ending)
                bury(process)


def query(sockets: Path, statement: str) -> object:
    """Run one statement and give the first value it answers, if any."""
    with psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_servers_run_for_as_long_as_the_block_and_leave_nothing(place: Path) -> None:
    directory = place / "servers"
    with servers.running(directory) as where:
        assert redis.Redis.from_url(where.cart_redis_url).ping()
        assert query(directory / "run", "SELECT current_setting('server_version_num')::int / 10000") == 18
        assert len(find("postgres", str(directory))) >= 1
    assert not directory.exists()
    assert find(str(directory)) == []


@pytest.mark.parametrize("ending", [None, signal.SIGKILL])
def test_the_next_start_finds_what_the_last_one_kept(place: Path, ending: int | None) -> None:
    with durable(place, ending=ending) as sockets:
        query(sockets, "CREATE TABLE kept AS SELECT 42 AS value")
        with redis.Redis(unix_socket_path=str(sockets / "redis.sock")) as client:
            client.set("kept", 42)
            client.execute_command("WAITAOF", 1, 0, 1000) if client.info()["redis_version"] >= "7.2" else client.save()
    with durable(place) as sockets:
        assert query(sockets, "SELECT value FROM kept") == 42
        with redis.Redis(unix_socket_path=str(sockets / "redis.sock")) as client:
            assert client.get("kept") == b"42"


def test_the_number_of_another_program_in_a_stale_file_blocks_no_start(place: Path) -> None:
    with durable(place) as sockets:
        query(sockets, "CREATE TABLE kept AS SELECT 42 AS value")
    # PostgreSQL takes the number of its own user's process for a living server, unless it is its own parent's.
    bystander = start(Program("sleeper", ("sleep", "60"), user=postgres.user()))
    wait_until(lambda: find("sleep", "60"))
    stale = f"{bystander.pid}\n{place / 'postgres'}\n1700000000\n5432\n{place / 'run'}\n\n"
    (place / "postgres" / "postmaster.pid").write_text(stale)
    with durable(place) as sockets:
        assert query(sockets, "SELECT value FROM kept") == 42
    assert not has_ended(bystander)
    end(bystander)


def test_a_half_made_database_is_made_again(place: Path) -> None:
    (place / "postgres" / "base").mkdir(parents=True)
    with durable(place) as sockets:
        assert query(sockets, "SELECT 1") == 1


def test_a_database_of_another_version_is_refused_in_a_sentence(place: Path) -> None:
    (place / "postgres").mkdir()
    (place / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(RuntimeError, match="made by PostgreSQL 17, this is 18: `make clean` begins anew"):
        servers.programs(place, place / "run", is_durable=True)


def test_the_demos_redis_keeps_every_change_and_evicts_nothing(place: Path) -> None:
    with durable(place) as sockets, redis.Redis(unix_socket_path=str(sockets / "redis.sock")) as client:
        asked = ("maxmemory-policy", "appendonly", "appendfsync", "port")
        assert [client.config_get(name)[name] for name in asked] == ["noeviction", "yes", "everysec", "0"]


def test_a_server_that_does_not_run_is_not_ready(tmp_path: Path) -> None:
    assert not postgres.is_ready(tmp_path)
    assert not redis_server.is_ready(tmp_path)
