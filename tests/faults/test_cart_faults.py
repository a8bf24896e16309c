"""Carts while Redis, PostgreSQL or the recorder is away."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from cart import comparing, keys, recorder, selectors, services, store, stream
from cart.checks import carts_are_never_evicted, carts_outlive_the_server
from cart.errors import CartsUnavailableError
from cart.models import CartRecord
from cart.types import Cart
from inventory import services as inventory
from shop.core import redis as connections
from shop.core.ids import new_token
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities
from tests.checkout.helpers import cart_of, counters, pay, ready, start
from tests.faults.conftest import OwnRedis
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.fault


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


WRITERS = 4
CHANGES = 250


def _killed_in_the_middle(own_redis: OwnRedis) -> list[tuple[int, int]]:
    """Let writers change their carts, kill Redis amid it and start it again: per cart, units acknowledged and held."""
    make_sku(on_hand=100_000)
    acknowledged = [0] * WRITERS
    has_many = threading.Barrier(WRITERS + 1)

    def write(number: int) -> None:
        """Save one unit more, again and again, until the server is gone."""
        try:
            while True:
                quantity = acknowledged[number] + 1
                answer = store.change(
                    owner=customer(number + 1).owner,
                    operation_id=f"{number}-{quantity}",
                    operations=[{"op": "set", "sku": "MUG", "quantity": quantity, "price": "5", "currency": "GBP"}],
                    reason="test",
                    may_create=True,
                )
                assert answer.status == "ok"
                acknowledged[number] = quantity
                if quantity == CHANGES:
                    has_many.wait(PATIENCE_SECONDS)
        except CartsUnavailableError:
            return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    has_many.wait(PATIENCE_SECONDS)
    own_redis.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    own_redis.start()
    held = [quantities(selectors.get_cart(ref=customer(number + 1))).get("MUG", 0) for number in range(WRITERS)]
    return list(zip(acknowledged, held, strict=True))


@pytest.fixture
def many_units(settings: Settings) -> None:
    """Let a line take as many units as there are changes."""
    settings.CART = replace(settings.CART, max_quantity=9_999)


@pytest.mark.django_db(transaction=True)
def test_no_acknowledged_change_is_lost_when_redis_is_killed(own_redis: OwnRedis, many_units: None) -> None:
    journal = _killed_in_the_middle(own_redis)
    # The last one may have been applied without its answer.
    assert all(known <= held <= known + 1 for known, held in journal), journal
    assert recorder.drain() == sum(held for _, held in journal)


@pytest.mark.django_db(transaction=True)
def test_without_its_file_a_killed_redis_would_lose_all_of_them(own_redis: OwnRedis, many_units: None) -> None:
    """The twin."""
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("appendonly", "no")
    assert [held for _, held in _killed_in_the_middle(own_redis)] == [0] * WRITERS


def _asked_of_a_frozen(own_redis: OwnRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    """Freeze Redis, read a recorded cart ten times, and tell how often that waited for the server."""
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    recorder.drain()
    settings.CART = replace(settings.CART, redis_url=own_redis.frozen_url)
    own_redis.send(signal.SIGSTOP)
    asked: list[str] = []
    real = connections.client

    def count(url: str) -> connections.Client:
        asked.append(url)
        return real(url)

    # The break outlasts whatever a slow machine makes of ten reads.
    monkeypatch.setattr(connections, "BREAK_SECONDS", 600)
    monkeypatch.setattr(connections, "client", count)
    carts = [selectors.get_cart(ref=ref) for _ in range(10)]
    monkeypatch.setattr(connections, "client", real)
    assert all(cart.is_copy and quantities(cart) == {"MUG": 3} for cart in carts)
    own_redis.send(signal.SIGCONT)
    return len(asked)


@pytest.mark.django_db
def test_a_frozen_redis_costs_one_time_out_and_not_one_a_request(
    own_redis: OwnRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _asked_of_a_frozen(own_redis, settings, monkeypatch) == 1

    def is_back() -> bool:
        connections.mend(own_redis.frozen_url)  # ten minutes later
        return not selectors.get_cart(ref=customer()).is_copy

    wait_until(is_back)


@pytest.mark.django_db
def test_without_the_breaker_every_request_would_wait_for_a_frozen_redis(
    own_redis: OwnRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(connections._Breaker, "may_ask", lambda _: True)
    assert _asked_of_a_frozen(own_redis, settings, monkeypatch) >= 10


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


@pytest.mark.django_db
def test_a_full_redis_that_evicts_would_take_the_change_and_lose_carts(own_redis: OwnRedis) -> None:
    """The twin: why the start is refused with any policy but `noeviction`."""
    make_sku()
    names = [keys.cart(customer(number).owner) for number in range(1, 21)]
    for number in range(1, 21):
        services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100kb")
        client.ping()
        assert client.exists(*names) < 20
        client.config_set("maxmemory", "0")


@pytest.fixture
def loading(own_redis: OwnRedis, db: None) -> OwnRedis:
    """Restart a Redis that holds one cart, so that it takes its time to load its file."""
    make_sku()
    for _ in range(3):
        services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    with redis.Redis(port=own_redis.port) as other:
        for part in range(40):  # a script that takes seconds is a fault of its own
            other.eval("for i = 1, 10000 do redis.call('SET', 'filling:' .. ARGV[1] .. ':' .. i, '') end", 0, part)
    own_redis.stop()
    # As Redis' own tests slow it down: a short sleep at every third key, about nine seconds in all. It looks up from
    # loading at every thousandth command, so that a new connection is answered within a fifth of the shop's patience.
    own_redis.start("--key-load-delay", "-3", is_loading=True)
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
    connections.mend(loading.url)
    assert client.put("/api/v1/cart/items/MUG", **change).status_code == 201  # type: ignore[arg-type]
    assert not selectors.get_cart(ref=customer()).is_copy
    assert client.get("/readyz").json()["checks"]["cart_redis"]["ok"] is True


def test_loading_that_is_not_known_for_an_outage_would_be_a_crash(
    loading: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: whichever error a server gives that is busy with its file, its answer or none in time."""
    monkeypatch.setattr(connections, "is_unavailable", lambda _: False)
    with pytest.raises((redis.BusyLoadingError, redis.TimeoutError)):
        services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)


def _added_to_a_server_that_forgot(own_redis: OwnRedis) -> dict[str, int]:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    with redis.Redis(port=own_redis.port) as client:
        client.script_flush()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    return quantities(selectors.get_cart(ref=ref))


@pytest.mark.django_db
def test_nobody_notices_that_the_server_forgot_its_scripts(own_redis: OwnRedis) -> None:
    assert _added_to_a_server_that_forgot(own_redis) == {"MUG": 2}


@pytest.mark.django_db
def test_a_script_that_is_never_sent_again_would_be_missed(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(store, "NoScriptError", ZeroDivisionError)
    with pytest.raises(redis.exceptions.NoScriptError):
        _added_to_a_server_that_forgot(own_redis)


def test_a_server_that_evicts_is_refused_and_not_ready_if_it_begins_to_later(
    own_redis: OwnRedis, client: Client, db: None
) -> None:
    assert carts_are_never_evicted() == []
    assert client.get("/readyz").json()["checks"]["cart_redis"] == {"ok": True}
    with redis.Redis(port=own_redis.port) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
    assert [fault.id for fault in carts_are_never_evicted()] == ["cart.E001"]
    with pytest.raises(CommandError, match="noeviction"):
        call_command("record_cart_events", "--once")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["cart_redis"]) == (
        503,
        {"ok": False, "detail": "maxmemory-policy allkeys-lru loses carts"},
    )
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
    with own_redis.demoted(), pytest.raises(CartsUnavailableError):
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert quantities(services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart) == {"MUG": 2}


@pytest.mark.django_db
def test_what_a_demoted_redis_still_tells_never_reaches_a_checkout(own_redis: OwnRedis) -> None:
    make_sku()
    ref, view = ready(customer())
    recorder.drain()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    with own_redis.demoted():
        assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 2}  # it is shown all the same
        with pytest.raises(CartsUnavailableError) as refusal:
            start(ref)
        assert refusal.value.retry_after_seconds
        payment = pay(view, ref)  # of the frozen quote
    assert (payment.state.value, counters()) == ("succeeded", (49, 0))
    assert cart_of(ref) == {"MUG": 2}  # to be cleared by the sweep


@pytest.mark.django_db
def test_a_checkout_that_asked_no_more_than_a_read_would_sell_what_was_in_the_cart_once(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(store, "read_current", store.read)
    make_sku()
    ref, _ = ready(customer())
    with own_redis.demoted():
        assert [line.quantity for line in start(ref).lines] == [1]


def _with_an_older_file(own_redis: OwnRedis) -> Cart:
    """Let Redis come back with a file that lacks the last change, which is recorded; give the cart as it was after."""
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("appendonly", "no")
        client.save()
    older = (own_redis.directory / "dump.rdb").read_bytes()
    newer = services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW).cart
    recorder.drain()
    own_redis.stop()
    for path in (own_redis.directory / "appendonlydir").glob("*"):
        path.unlink()
    (own_redis.directory / "appendonly.aof").unlink(missing_ok=True)
    (own_redis.directory / "dump.rdb").write_bytes(older)
    own_redis.start("--appendonly", "no")
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 1}
    recorder.drain()
    return newer


@pytest.mark.django_db(transaction=True)
def test_an_older_file_of_redis_is_put_right_by_the_recorder(own_redis: OwnRedis) -> None:
    newer = _with_an_older_file(own_redis)
    assert selectors.get_cart(ref=customer()) == newer
    services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    assert CartRecord.objects.get().units == 6


@pytest.mark.django_db(transaction=True)
def test_an_older_file_that_nobody_compares_would_cost_what_was_recorded(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(comparing, "compare_if_restarted", lambda: 0)
    _with_an_older_file(own_redis)
    services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    assert CartRecord.objects.get().units == 2


def test_the_recorder_ends_in_order_and_another_goes_on(
    run_process: Any, transactional_db: None, cart_redis: redis.Redis
) -> None:
    make_sku(on_hand=500)
    with run_process(["python", "manage.py", "record_cart_events"]) as process:
        process.wait_for("Recording cart events.")
        for number in range(1, 21):
            services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
        wait_until(lambda: CartRecord.objects.count() == 20)
        os.kill(process.process.pid, signal.SIGTERM)
        process.wait_for("Stopped.")
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
    recorder.drain(idle_ms=3_600_000)
    assert not CartRecord.objects.exists()
    recorder.drain(idle_ms=0)
    assert CartRecord.objects.get().units == 1
