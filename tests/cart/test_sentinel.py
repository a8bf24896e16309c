"""Carts on a master that dies: Sentinel puts the replica in charge, and what was acknowledged is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pytest_django import Settings

from cart import recorder, selectors, services
from cart.errors import CartsUnavailableError
from cart.models import CartRecord
from shop.core import redis as connections
from tests.cart.helpers import NOW, customer, make_sku, quantities
from tests.cart.servers import Watched, wait_until
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.cluster, pytest.mark.django_db]


@pytest.fixture
def watched(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Run a master, a replica and a Sentinel; they are asked with patience."""
    servers = Watched(tmp_path)
    monkeypatch.setattr(connections, "TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(connections, "client", partial(connections.client, timeout_seconds=PATIENCE_SECONDS))
    settings.CART = replace(settings.CART, redis_url=servers.url, partitions=8)
    yield servers
    servers.stop()


def test_a_fail_over_loses_nothing_that_was_acknowledged_or_recorded(watched: Watched) -> None:
    make_sku(on_hand=500)
    for number in range(1, 11):
        services.add_line(ref=customer(number), sku_id="MUG", quantity=number, now=NOW)
    recorder.drain()
    services.add_line(ref=customer(1), sku_id="MUG", quantity=5, now=NOW)
    assert watched.master.client().wait(1, 60_000) == 1

    watched.lose_master()
    with pytest.raises(CartsUnavailableError):
        services.add_line(ref=customer(2), sku_id="MUG", quantity=1, now=NOW)
    cart = selectors.get_cart(ref=customer(3))
    assert (quantities(cart), cart.is_copy) == ({"MUG": 3}, True)
    wait_until(watched.has_failed_over, "no fail-over")
    connections.mend(watched.url)

    for number in range(1, 11):
        services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
    assert recorder.drain() == 11
    expected = {f"u:{n}": n + 1 + (5 if n == 1 else 0) for n in range(1, 11)}
    assert {r.owner: r.units for r in CartRecord.objects.all()} == expected
    assert quantities(selectors.get_cart(ref=customer(1))) == {"MUG": 7}


def test_a_replica_that_missed_changes_is_put_right_from_the_records(watched: Watched) -> None:
    make_sku(on_hand=500)
    ref = customer(1)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    assert watched.master.client().wait(1, 60_000) == 1
    watched.replica.client().execute_command("REPLICAOF", "127.0.0.1", "1")
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    recorder.drain()
    assert CartRecord.objects.get().units == 4

    watched.lose_master()
    watched.replica.client().execute_command("REPLICAOF", "NO", "ONE")
    old = quantities(selectors.get_cart(ref=ref))
    assert old in ({"MUG": 4}, {"MUG": 1})
    wait_until(watched.has_failed_over, "no fail-over")
    connections.mend(watched.url)
    recorder.drain()

    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 4}
