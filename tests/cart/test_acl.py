"""Carts on a server that lets the shop do what it needs and no more: the rule that the documentation gives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_django import Settings

from cart import checks, selectors
from shop.core import redis as connections
from tests.cart import test_auditing, test_merging, test_ordering, test_recorder, test_store
from tests.cart.servers import Server
from tests.waiting import OF_REDIS

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "carts.md"
PASSWORD = "not-guessed-in-this-test"
ALONE = ("command", "pipeline", "lost_answer", "repeats_counts")
"""Words in the names of tests that watch one connection."""


def _rule() -> list[str]:
    found = re.search(r"^user trolley on >PASSWORD (.+)$", PAGE.read_text(), re.MULTILINE)
    assert found
    return ["trolley", "on", f">{PASSWORD}", *found[1].split()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that knows two: the shop, and us with every right."""
    options = ("--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "no", "--user", *_rule())
    made = Server(tmp_path_factory.mktemp("acl"), options).start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def url(server: Server, settings: Settings) -> str:
    """Let the shop use it, empty, under its own name."""
    server.client().flushall()
    url = f"redis://trolley:{PASSWORD}@127.0.0.1:{server.port}/0?{OF_REDIS}"
    settings.CART = replace(settings.CART, redis_url=url)
    connections.mend(url)
    return url


@pytest.fixture
def cart_redis(server: Server) -> Iterator[Any]:
    """Give a client with every right, for what tests arrange."""
    client = server.client()
    yield client
    client.close()


for _module in (test_store, test_merging, test_ordering, test_recorder, test_auditing):
    _short = _module.__name__.rpartition(".")[2]
    for _name, _function in inspect.getmembers(_module, inspect.isfunction):
        if _name.startswith("test_") and not any(word in _name for word in ALONE):
            globals()[f"{_short}_{_name.removeprefix('test_')}"] = _function


def test_the_shop_sees_how_its_server_is_set_up(url: str) -> None:
    assert selectors.eviction_policy() == "noeviction"
    assert selectors.keeps_file()
    assert checks.the_server_is_not_open_to_the_network() == []
    assert connections.call(url, lambda client: client.set("readyz", "1", px=1_000))  # as /readyz does


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "CONFIG SET maxmemory 1",
        "CONFIG REWRITE",
        "SHUTDOWN",
        "DEBUG SLEEP 0",
        "ACL LIST",
        "REPLICAOF localhost 1",
        "SCRIPT FLUSH",
        "MONITOR",
        "SET elsewhere 1",
        "GET elsewhere",
    ],
)
def test_it_may_do_nothing_else(url: str, command: str) -> None:
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_a_script_may_touch_no_other_key_either(url: str, cart_redis: Any) -> None:
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.ResponseError):
        client.eval("return redis.call('SET', 'elsewhere', '1')", 0)
    assert cart_redis.get("elsewhere") is None


def test_nobody_else_gets_in(server: Server) -> None:
    stranger = redis.Redis(port=server.port, username="trolley", password="guess")
    with stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()
