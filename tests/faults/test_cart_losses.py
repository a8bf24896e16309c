"""What Redis may forget: a cart whose time is over, and events that nobody has recorded for long."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis
from pytest_django import Settings

from cart import auditing, comparing, keys, recorder, restoring, selectors, services, store, stream
from cart.models import CartEvent, CartRecord
from cart.types import Cart, CartRef
from shop.core import clock
from tests.cart.helpers import NOW, customer, make_sku, quantities
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db]

CAP = 5


def _many_changes(settings: Settings) -> int:
    """Change twenty carts while no recorder runs, then record; tell how many carts PostgreSQL has."""
    settings.CART = replace(settings.CART, partitions=1)
    make_sku()
    stream.make_groups()
    for number in range(1, 21):
        services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
        stream.trim(0)  # as the recorders do all the time; this one has nothing acknowledged
    recorder.drain()
    return CartRecord.objects.count()


def test_a_recorder_that_stood_still_for_long_records_everything(settings: Settings) -> None:
    assert _many_changes(settings) == 20


def test_trimming_by_length_would_lose_what_is_not_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""

    def by_length(partition: int) -> int:
        return int(store.run(lambda client: client.xtrim(keys.events(partition), maxlen=CAP, approximate=False)))

    monkeypatch.setattr(stream, "trim", by_length)
    assert _many_changes(settings) == CAP


def _outlived(cart_redis: redis.Redis) -> tuple[CartRef, Cart]:
    """Give a recorded cart whose time is over in Redis, and how it was."""
    make_sku()
    ref = customer()
    services.set_saved_quantity(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    before = services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW).cart
    recorder.drain()
    for name in (keys.cart(ref.owner), keys.saved(ref.owner)):
        cart_redis.pexpire(name, 1)
        wait_until(lambda name=name: not cart_redis.exists(name))  # type: ignore[misc]
    return ref, before


def test_a_cart_whose_time_is_over_in_redis_is_not_recorded_as_cleared_and_comes_back(cart_redis: redis.Redis) -> None:
    ref, before = _outlived(cart_redis)

    recorder.drain()
    comparing.compare()
    assert not list(auditing.list_disagreements(is_whole=True, now=clock.now()))
    record = CartRecord.objects.get()
    assert (record.state, record.units, record.version) == ("active", 3, before.version)
    assert CartEvent.objects.count() == 2

    cart, saved = selectors.get_cart_and_saved(ref=ref)
    assert (cart, [line.quantity for line in saved]) == (before, [2])
    assert quantities(services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart) == {"MUG": 4}


def test_a_cart_that_nobody_brings_back_would_be_gone_with_its_time(
    cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    ref, _ = _outlived(cart_redis)
    monkeypatch.setattr(restoring, "find_record", lambda _: None)
    assert selectors.get_cart(ref=ref).lines == ()
