"""The scripts against a real Redis: round trips, repeats, forgotten scripts, versions."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis.backoff import NoBackoff
from redis.retry import Retry

from cart import keys, recorder, selectors, services, store
from cart.conf import CartConf
from cart.types import LineChange
from shop.core.redis import client as make_client
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities, round_trips
from tests.ports import free_port
from tests.waiting import OF_REDIS

pytestmark = pytest.mark.django_db


@contextmanager
def commands(server: redis.Redis) -> Iterator[list[str]]:
    """Watch what arrives at the server (MONITOR); commands inside scripts are not counted."""
    seen: list[str] = []
    number = server.connection_pool.connection_kwargs.get("db", 0)
    with server.monitor() as monitor:  # type: ignore[no-untyped-call]  # the library's
        yield seen
        server.echo(f"over {number}")
        for command in monitor.listen():
            if command["command"] == f"ECHO over {number}":
                return
            name = command["command"].split()[0]
            is_ours = command["db"] == number  # another worker's tests share the server
            if (
                is_ours and command["client_type"] != "lua" and name not in ("HELLO", "CLIENT", "SELECT")
            ):  # a new connection
                seen.append(name)


def test_a_change_is_one_command_however_many_lines_it_touches(cart_redis: redis.Redis) -> None:
    skus = [make_sku(f"S{n:03}") for n in range(100)]
    ref = customer()
    services.add_line(ref=ref, sku_id=skus[0], quantity=1, now=NOW)
    with commands(cart_redis) as one:
        services.set_quantity(ref=ref, sku_id=skus[0], quantity=2, now=NOW)
    with commands(cart_redis) as hundred:
        services.change_lines(ref=ref, changes=[LineChange("set", sku, 3) for sku in skus], now=NOW)
    assert (one, hundred) == (["EVALSHA"], ["EVALSHA"])


def test_a_new_guests_first_change_is_one_command_and_looks_nothing_up(cart_redis: redis.Redis) -> None:
    make_sku()
    services.add_line(ref=new_guest(), sku_id="MUG", quantity=1, now=NOW)
    ref = replace(new_guest(), is_new=True)
    with commands(cart_redis) as seen, CaptureQueriesContext(connection) as queries:
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert seen == ["EVALSHA"]
    assert not [q for q in queries if "cart_cartrecord" in q["sql"]]


def test_a_minimal_read_is_one_command_and_no_sql(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    with commands(cart_redis) as seen, CaptureQueriesContext(connection) as queries:
        selectors.get_cart(ref=ref)
    assert (seen, len(queries)) == (["HGETALL"], 0)


def test_many_carts_are_read_in_their_order_and_nothing_is_restored(cart_redis: Any) -> None:
    make_sku()
    refs = [customer(number) for number in (9, 7, 8, 6)]
    for quantity, ref in enumerate(refs[:3], 1):
        services.add_line(ref=ref, sku_id="MUG", quantity=quantity, now=NOW)
    recorder.drain()
    alone = [selectors.get_cart(ref=ref) for ref in refs]
    lost = keys.cart(refs[1].owner)
    cart_redis.delete(lost)

    found = selectors.list_carts(refs=refs)

    assert [quantities(cart) for cart in found] == [{"MUG": 1}, {"MUG": 2}, {"MUG": 3}, {}]
    assert list(found) == alone
    assert not cart_redis.exists(lost)


def test_many_carts_are_one_pipeline_and_a_query_for_those_that_redis_lost(
    cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sku()
    refs = [customer(number) for number in range(1, 9)]
    for ref in refs:
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    sent = round_trips(monkeypatch)
    with CaptureQueriesContext(connection) as queries:
        selectors.list_carts(refs=refs)
    assert (len(sent), len(queries)) == (1, 0)

    cart_redis.delete(*(keys.cart(ref.owner) for ref in refs[:5]))
    sent.clear()
    with CaptureQueriesContext(connection) as queries:
        assert [quantities(cart) for cart in selectors.list_carts(refs=refs)] == [{"MUG": 1}] * 8
    assert (len(sent), len(queries)) == (1, 1)


def test_while_redis_is_away_many_carts_are_copies_by_one_query(settings: Any) -> None:
    make_sku()
    refs = [customer(number) for number in (1, 2, 3)]
    for ref in refs[:2]:
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    settings.CART = replace(settings.CART, redis_url=f"redis://127.0.0.1:{free_port()}")

    with CaptureQueriesContext(connection) as queries:
        found = selectors.list_carts(refs=refs)

    assert [(quantities(cart), cart.is_copy) for cart in found] == [({"MUG": 1}, True), ({"MUG": 1}, True), ({}, True)]
    assert len(queries) == 1


def test_reading_a_cart_that_is_about_to_be_bought_makes_and_changes_nothing(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    assert selectors.get_current_cart(ref=ref).lines == ()
    assert not cart_redis.exists(keys.cart(ref.owner))
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    before = cart_redis.hgetall(keys.cart(ref.owner))
    assert selectors.get_current_cart(ref=ref) == selectors.get_cart(ref=ref)
    assert cart_redis.hgetall(keys.cart(ref.owner)) == before


@pytest.mark.parametrize("lines", [1, 100])
def test_a_page_is_one_pipeline_and_two_queries(cart_redis: redis.Redis, lines: int) -> None:
    skus = [make_sku(f"S{n:03}") for n in range(lines)]
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set", sku, 1) for sku in skus], now=NOW)
    with commands(cart_redis) as seen, CaptureQueriesContext(connection) as queries:
        view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW, with_saved=True)
    assert len(view.lines) == lines
    assert seen == ["HGETALL", "HGETALL"]
    assert len(queries) == 2


@pytest.mark.parametrize("lines", [1, 100])
def test_a_change_asks_postgresql_once(lines: int) -> None:
    skus = [make_sku(f"S{n:03}") for n in range(lines)]
    ref = replace(new_guest(), is_new=True)
    with CaptureQueriesContext(connection) as queries:
        services.change_lines(ref=ref, changes=[LineChange("set", sku, 1) for sku in skus], now=NOW)
    assert len(queries) == 1


def test_removing_and_saving_need_no_sql() -> None:
    for sku in ("A", "B"):
        make_sku(sku)
    ref = customer()
    services.change_lines(ref=ref, changes=[LineChange("set", sku, 1) for sku in ("A", "B")], now=NOW)
    with CaptureQueriesContext(connection) as queries:
        services.remove_line(ref=ref, sku_id="A", now=NOW)
        services.save_line(ref=ref, sku_id="B", now=NOW)
        services.empty_cart(ref=ref)
    assert len(queries) == 0


def test_versions_have_all_their_digits_and_grow_past_an_older_clock(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    first = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart
    assert len(str(first.version)) == 16
    # As if the server's clock had been an hour ahead when it was last written.
    ahead = first.version + 3_600_000_000
    cart_redis.hset(keys.cart(ref.owner), "@version", str(ahead))

    later = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart

    assert later.version == ahead + 1
    recorder.drain()


def test_each_change_renews_the_life_of_cart_and_saved_list(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    services.set_saved_quantity(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    cart_redis.expire(keys.cart(ref.owner), 5)
    cart_redis.expire(keys.saved(ref.owner), 5)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    day = 86_400
    assert 30 * day - 60 <= cart_redis.ttl(keys.cart(ref.owner)) <= 30 * day
    assert 90 * day - 60 <= cart_redis.ttl(keys.saved(ref.owner)) <= 90 * day


def test_a_five_line_cart_costs_at_most_a_kilobyte(cart_redis: redis.Redis) -> None:
    skus = [make_sku(f"ENAMEL-MUG-{n}") for n in range(5)]
    ref = new_guest()
    for sku in skus:
        services.add_line(ref=ref, sku_id=sku, quantity=2, now=NOW)
    assert (cart_redis.memory_usage(keys.cart(ref.owner)) or 0) <= 1_024


# ---------------------------------------------------------------- answers lost on the wire


@dataclass
class LossyProxy:
    """Passes requests to Redis and swallows the answers to the first `losses` EVALSHA, closing the connection."""

    target: Any
    losses: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def start(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self.listener.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(near,), daemon=True).start()

    def _talk(self, near: socket.socket) -> None:
        with near, self.target() as far:
            is_losing = False
            while True:
                # Either side at any time: a client may send several commands before it reads.
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(65_536)
                    if not data or (is_losing and source is far):
                        self.losses -= is_losing
                        return
                    if source is near:
                        is_losing = self.losses > 0 and b"EVALSHA" in data
                        far.sendall(data)
                    else:
                        near.sendall(data)


@pytest.fixture
def lossy() -> Iterator[Callable[[int], int]]:
    """Start a proxy before the cart's Redis that loses answers; gives its port."""
    proxies: list[LossyProxy] = []
    url = urlsplit(django_settings.CART.redis_url)

    def connect() -> socket.socket:
        if url.scheme == "unix":
            far = socket.socket(socket.AF_UNIX)
            far.connect(url.path)
            return far
        return socket.create_connection((url.hostname or "127.0.0.1", url.port or 6379))

    def start(losses: int) -> int:
        proxies.append(LossyProxy(connect, losses))
        return proxies[-1].start()

    yield start
    for proxy in proxies:
        proxy.listener.close()


def _database() -> str:
    server = redis.Redis.from_url(django_settings.CART.redis_url)
    number = server.connection_pool.connection_kwargs.get("db", 0)
    server.close()
    return str(number)


def test_a_lost_answer_counts_once(lossy: Callable[[int], int], settings: Any) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    conf: CartConf = settings.CART
    url = f"redis://127.0.0.1:{lossy(1)}/{_database()}?{OF_REDIS}"
    settings.CART = replace(conf, redis_url=url)

    change = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)

    settings.CART = conf
    make_client(url).close()
    assert change.was_replayed
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 2}


def test_without_the_operation_id_a_library_that_repeats_counts_each_time(lossy: Callable[[int], int]) -> None:
    """The twin: the same script with its guard off, through a client that repeats by itself, as the library does."""
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    eager = redis.Redis(
        port=lossy(3), db=int(_database()), retry=Retry(NoBackoff(), 10), protocol=2, decode_responses=True
    )
    text = store._script("change")[0]
    guard = "if id == ARGV[2] then"
    assert guard in text
    names = [name(ref.owner) for name in (keys.cart, keys.saved, keys.undo)]
    names += [keys.operation(ref.owner, "one"), keys.events(keys.partition(ref.owner))]
    limits = [1_000_000, 1_000_000, 100, 99, 200]
    operations = '[{"op":"add","sku":"MUG","quantity":1}]'

    sha = eager.script_load(text.replace(guard, "if false then"))
    eager.evalsha(sha, 5, *names, ref.owner, "one", "", "", "", "", *limits, "", "add", operations)
    eager.close()

    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 5}
