"""Carts while Redis, PostgreSQL or the recorder is away."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.test import Client
from redis.backoff import NoBackoff
from redis.retry import Retry

from cart import recorder, selectors, services, stream
from cart.checks import carts_are_never_evicted, carts_outlive_the_server
from cart.errors import CartsUnavailableError
from cart.models import CartRecord
from inventory import services as inventory
from shop.core import redis as connections
from shop.core.ids import new_token
from shop.embedded import redis_server
from shop.embedded.ports import free_port
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.fault


class OwnRedis:
    """A Redis of the test's own, to be stopped, frozen and started again on the same file."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program = program
        self.directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str, is_loading: bool = False) -> None:
        """Start it and wait until it answers, or says that it is loading its file."""
        arguments = ["--port", str(self.port), "--dir", str(self.directory), "--save", "", "--appendonly", "yes", *more]
        self.process = subprocess.Popen([self.program, *arguments], stdout=subprocess.DEVNULL)
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
            ends = time.monotonic() + 10
            while time.monotonic() < ends:
                try:
                    client.ping()
                    return
                except redis.BusyLoadingError:
                    if is_loading:
                        return
                    time.sleep(0.02)
                except redis.RedisError:
                    time.sleep(0.02)
        raise AssertionError("Redis did not start")

    def send(self, number: int) -> None:
        """Send a signal to the server itself."""
        assert self.process
        os.kill(self.process.pid, number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self.process:
            self.send(signal.SIGCONT)
            self.send(number)
            self.process.wait(timeout=10)
            self.process = None


@pytest.fixture
def own_redis(tmp_path: Path, settings: Any) -> Iterator[OwnRedis]:
    """Let carts live in a Redis of the test's own."""
    server = OwnRedis(str(redis_server.binary()), tmp_path)
    server.start()
    settings.CART = replace(settings.CART, redis_url=server.url)
    yield server
    server.stop()
    connections.client(server.url).close()
    connections.mend(server.url)


@pytest.mark.django_db
def test_without_redis_a_cart_is_shown_from_its_copy_and_not_changed(own_redis: OwnRedis) -> None:
    make_sku("A")
    make_sku("B")
    ref = customer()
    services.set_saved_quantity(ref=ref, sku_id="B", quantity=2, now=NOW)
    before = services.add_line(ref=ref, sku_id="A", quantity=3, now=NOW).cart
    recorder.drain()
    own_redis.stop()

    cart, saved = selectors.get_cart_and_saved(ref=ref)
    view = selectors.view_cart(ref=ref, locale="en_GB", now=NOW)
    with pytest.raises(CartsUnavailableError) as refusal:
        services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW)
    with pytest.raises(CartsUnavailableError):
        services.merge_guest_cart(guest_ref=new_guest(), user_id=7, now=NOW)

    assert cart == replace(before, is_copy=True)
    assert [line.sku_id for line in saved] == ["B"]
    assert (len(view.lines), view.can_check_out, view.notices) == (1, False, ())
    assert refusal.value.retry_after_seconds == 5

    own_redis.start()
    assert quantities(services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW).cart) == {"A": 4}


@pytest.mark.django_db
def test_no_acknowledged_change_is_lost_when_redis_is_killed(own_redis: OwnRedis) -> None:
    make_sku(on_hand=500)
    refs = [customer(n) for n in range(1, 21)]
    for ref in refs:
        for _ in range(5):
            services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    own_redis.stop(signal.SIGKILL)
    own_redis.start()
    assert [quantities(selectors.get_cart(ref=ref)) for ref in refs] == [{"MUG": 5}] * 20
    assert recorder.drain() == 100


@pytest.mark.django_db
def test_a_frozen_redis_costs_one_time_out_and_not_one_a_request(own_redis: OwnRedis) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    recorder.drain()
    own_redis.send(signal.SIGSTOP)

    started = time.monotonic()
    carts = [selectors.get_cart(ref=ref) for _ in range(20)]
    seconds = time.monotonic() - started

    assert all(cart.is_copy and quantities(cart) == {"MUG": 3} for cart in carts)
    assert seconds < 20 * connections.TIMEOUT_SECONDS / 2
    own_redis.send(signal.SIGCONT)
    time.sleep(connections.BREAK_SECONDS)
    assert not selectors.get_cart(ref=ref).is_copy


@pytest.mark.django_db
def test_a_full_redis_refuses_changes_whole_and_still_reads(own_redis: OwnRedis) -> None:
    make_sku()
    ref = customer()
    recorder.drain()
    before = services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW).cart
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("maxmemory", "100kb")
        with pytest.raises(CartsUnavailableError):
            services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
        assert selectors.get_cart(ref=ref) == before
        assert recorder.drain() == 1
        client.config_set("maxmemory", "0")
    assert quantities(services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart) == {"MUG": 4}


@pytest.fixture
def loading(own_redis: OwnRedis, db: None) -> OwnRedis:
    """Restart a Redis that holds one cart, so that it takes its time to load its file."""
    make_sku()
    for _ in range(3):
        services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    with redis.Redis(port=own_redis.port) as other:
        other.eval("for i = 1, 100000 do redis.call('SET', 'filling:' .. i, '') end", 0)
    own_redis.stop()
    # Microseconds a key, as Redis' own tests slow it down: it looks up from loading at every thousandth command.
    own_redis.start("--key-load-delay", "50", is_loading=True)
    return own_redis


def test_a_redis_that_loads_its_file_refuses_as_one_that_is_away_and_is_ready_afterwards(
    loading: OwnRedis, client: Client
) -> None:
    inventory.sweep()
    guest = {"Cart-Session": new_token()}
    change = {"data": {"quantity": 1}, "content_type": "application/json", "headers": guest}

    refused = client.put("/api/v1/cart/items/MUG", **change)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["code"]) == (503, "carts_unavailable")
    assert refused.headers["Retry-After"]
    copy = selectors.get_cart(ref=customer())
    assert (copy.is_copy, quantities(copy)) == (True, {"MUG": 3})
    assert client.get("/readyz").json()["checks"]["cart_redis"]["ok"] is False

    loading.stop()
    loading.start()  # the same file, at its own speed
    assert client.put("/api/v1/cart/items/MUG", **change).status_code == 201  # type: ignore[arg-type]
    assert not selectors.get_cart(ref=customer()).is_copy
    assert client.get("/readyz").json()["checks"]["cart_redis"]["ok"] is True


def test_loading_that_is_not_known_for_an_outage_would_be_a_crash(
    loading: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(connections, "is_unavailable", lambda _: False)
    with pytest.raises(redis.BusyLoadingError):
        services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)


@pytest.mark.django_db
def test_nobody_notices_that_the_server_forgot_its_scripts(own_redis: OwnRedis) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    with redis.Redis(port=own_redis.port) as client:
        client.script_flush()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 2}


def test_a_server_that_evicts_is_refused(own_redis: OwnRedis) -> None:
    assert carts_are_never_evicted() == []
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert [fault.id for fault in carts_are_never_evicted()] == ["cart.E001"]
    with pytest.raises(CommandError, match="noeviction"):
        call_command("record_cart_events", "--once")
    own_redis.stop()
    assert carts_are_never_evicted() == []


def test_a_server_that_keeps_no_file_is_refused(own_redis: OwnRedis) -> None:
    assert carts_outlive_the_server() == []
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("appendonly", "no")
    assert [fault.id for fault in carts_outlive_the_server()] == ["cart.E002"]
    own_redis.stop()
    assert carts_outlive_the_server() == []


@pytest.mark.django_db
def test_a_demoted_redis_refuses_changes_and_serves_again_once_promoted(own_redis: OwnRedis) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    with redis.Redis(port=own_redis.port) as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(CartsUnavailableError):
            services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
        client.replicaof("NO", "ONE")
    assert quantities(services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart) == {"MUG": 2}


@pytest.mark.django_db(transaction=True)
def test_an_older_file_of_redis_is_put_right_by_the_recorder(own_redis: OwnRedis, tmp_path: Path) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("appendonly", "no")
        client.save()
    older = (tmp_path / "dump.rdb").read_bytes()
    newer = services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW).cart
    recorder.drain()
    own_redis.stop()
    for path in (tmp_path / "appendonlydir").glob("*"):
        path.unlink()
    (tmp_path / "appendonly.aof").unlink(missing_ok=True)
    (tmp_path / "dump.rdb").write_bytes(older)
    process = subprocess.Popen(
        [own_redis.program, "--port", str(own_redis.port), "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    own_redis.process = process
    time.sleep(0.5)
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 1}

    recorder.drain()

    assert selectors.get_cart(ref=ref) == newer
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    assert CartRecord.objects.get().units == 6


def test_the_recorder_ends_in_order_and_another_goes_on(
    run_process: Any, transactional_db: None, cart_redis: redis.Redis
) -> None:
    make_sku(on_hand=500)
    with run_process(["python", "manage.py", "record_cart_events"]) as process:
        process.wait_for("Recording cart events.", seconds=60)
        for number in range(1, 21):
            services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
        _until(lambda: CartRecord.objects.count() == 20)
        os.kill(process.process.pid, signal.SIGTERM)
        process.wait_for("Stopped.", seconds=60)
        assert process.wait() == 0
    assert selectors.recorder_status().seen_at is not None
    services.add_line(ref=customer(21), sku_id="MUG", quantity=1, now=NOW)
    assert recorder.drain() == 1


def test_a_killed_recorders_events_are_taken_over(transactional_db: None) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    stream.make_groups()
    assert len(stream.read_new(consumer="killed", count=10)) == 1
    recorder.drain()
    assert not CartRecord.objects.exists()
    recorder.drain(idle_ms=0)
    assert CartRecord.objects.get().units == 1


def _until(condition: Any, *, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)
