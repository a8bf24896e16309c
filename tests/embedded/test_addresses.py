"""The URLs of the servers."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
import redis

from shop.embedded import addresses
from shop.embedded.addresses import Addresses

HERE = addresses.in_directory("/run/here")


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("redis://cache.example:6379", "redis://cache.example:6379/6"),
        ("redis://:secret@cache.example:6379/1", "redis://:secret@cache.example:6379/7"),
        ("rediss://cache.example/0?db=4", "rediss://cache.example/0?db=10"),
        ("redis://cache.example/0?ssl=1", "redis://cache.example/6?ssl=1"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=7"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=6"),
        ("redis+socket:///run/redis.sock?virtual_host=2", "redis+socket:///run/redis.sock?virtual_host=8"),
        ("amqp://guest@rabbit.example//", "amqp://guest@rabbit.example//"),
    ],
)
def test_each_worker_has_redis_databases_of_its_own(url: str, moved: str) -> None:
    given = Addresses(database_url="postgres://x", cart_redis_url=url, cache_url=url, celery_broker_url=url)
    assert addresses.for_worker(given, 2) == Addresses("postgres://x", moved, moved, moved)


def test_a_moved_address_still_names_its_socket_and_database() -> None:
    client = redis.Redis.from_url(addresses.for_worker(HERE, 3).cache_url)
    assert client.get_connection_kwargs()["path"] == "/run/here/redis.sock"
    assert client.get_connection_kwargs()["db"] == 10


def test_each_address_can_be_named_alone() -> None:
    named = {"CACHE_URL": "redis://cache.example/1", "DATABASE_URL": ""}
    assert addresses.chosen(named, HERE) == Addresses(
        database_url=HERE.database_url,
        cart_redis_url=HERE.cart_redis_url,
        cache_url="redis://cache.example/1",
        celery_broker_url=HERE.celery_broker_url,
    )


def test_what_an_ended_demo_left_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "demo.lock").touch()
    addresses.write(tmp_path, HERE)
    assert addresses.read(tmp_path) is None
    with (tmp_path / "demo.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert addresses.read(tmp_path) == HERE
    assert addresses.read(tmp_path) is None


def test_addresses_which_may_hold_passwords_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    addresses.write(tmp_path, HERE)
    assert (tmp_path / "servers.json").stat().st_mode & 0o777 == 0o600


def test_sockets_lie_beside_the_data_or_in_a_short_place(tmp_path: Path) -> None:
    assert addresses.socket_directory(Path("/srv/trolley")) == Path("/srv/trolley/run")
    long = tmp_path / ("deep" * 30)
    assert len(str(addresses.socket_directory(long))) < 60
    assert addresses.socket_directory(long) != addresses.socket_directory(long / "other")
