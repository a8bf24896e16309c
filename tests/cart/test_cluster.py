"""Carts on a Redis Cluster of three: the tests of store, merges, recorder and audit once more, and a slot on the move.

The tests are the very functions of those modules; only the fixtures are of this one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_django import Settings

from cart import keys, recorder, selectors, services
from cart.errors import CartsUnavailableError
from cart.models import CartRecord
from shop.core import redis as connections
from tests.cart import test_auditing, test_merging, test_recorder, test_store
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities
from tests.cart.servers import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.django_db]

ALONE = {"test_store": ("command", "pipeline", "lost_answer", "repeats_counts")}
"""Tests that watch one connection or one server: words in their names."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster for this module."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _on_cluster(cluster: Cluster, settings: Settings) -> None:
    """Let carts live on the cluster, which is empty. Few partitions: on a cluster each stream is asked on its own."""
    cluster.flush()
    settings.CART = replace(settings.CART, redis_url=cluster.url, partitions=8)
    connections.mend(cluster.url)


@pytest.fixture
def cart_redis(cluster: Cluster) -> Iterator[Any]:
    """Give a client of the cluster."""
    client = cluster.client()
    yield client
    client.close()


def _take(module: ModuleType) -> None:
    """Make a module's tests this module's."""
    short = module.__name__.rpartition(".")[2]
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("test_") or any(word in name for word in ALONE.get(short, ())):
            continue
        globals()[f"{short}_{name.removeprefix('test_')}"] = function


for _module in (test_store, test_merging, test_recorder, test_auditing):
    _take(_module)


def test_the_keys_of_one_change_lie_on_one_node_and_carts_are_spread(cluster: Cluster) -> None:
    make_sku(on_hand=500)
    for number in range(1, 60):
        services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
        services.set_saved_quantity(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
    assert all(node.client().dbsize() for node in cluster.nodes)
    assert recorder.drain() == 2 * 59
    assert CartRecord.objects.count() == 59


def test_a_merge_joins_carts_of_two_nodes(cluster: Cluster, cart_redis: Any) -> None:
    make_sku(on_hand=500)
    guest = new_guest()
    services.add_line(ref=guest, sku_id="MUG", quantity=2, now=NOW)

    def node(owner: str) -> int:
        return cluster.node_of(cart_redis.keyslot(keys.cart(owner))).port

    user_id = next(n for n in range(1, 500) if node(f"u:{n}") != node(guest.owner))
    services.add_line(ref=customer(user_id), sku_id="MUG", quantity=1, now=NOW)
    result = services.merge_guest_cart(guest_ref=guest, user_id=user_id, now=NOW)
    assert quantities(result.cart) == {"MUG": 2}
    assert recorder.drain() == 4


def test_while_a_slot_moves_nothing_acknowledged_is_lost_and_what_cannot_be_done_is_refused(
    cluster: Cluster, cart_redis: Any
) -> None:
    make_sku(on_hand=5_000)
    ref, elsewhere = customer(1), customer(2)
    slot = cart_redis.keyslot(keys.cart(ref.owner))
    assert slot != cart_redis.keyslot(keys.cart(elsewhere.owner))
    done = {ref.owner: 0, elsewhere.owner: 0}
    refused = 0

    def add() -> None:
        nonlocal refused
        for one in (ref, elsewhere):
            try:
                services.add_line(ref=one, sku_id="MUG", quantity=1, now=NOW)
                done[one.owner] += 1
            except CartsUnavailableError:
                refused += 1
                assert one == ref

    for _ in range(3):
        add()
    cluster.move_slot(slot, between=add)
    for _ in range(3):
        add()
    cluster.move_slot(slot, between=add)
    add()

    assert done[ref.owner] + refused == done[elsewhere.owner] == 9
    assert done[ref.owner] >= 7
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": done[ref.owner]}
    recorder.drain()
    assert {r.owner: r.units for r in CartRecord.objects.all()} == done


def test_a_node_that_is_gone_refuses_its_carts_and_no_others(tmp_path: Path, settings: Settings) -> None:
    own = Cluster(tmp_path)
    try:
        own.nodes[0].client().config_set("cluster-require-full-coverage", "no")
        for node in own.nodes[1:]:
            node.client().config_set("cluster-require-full-coverage", "no")
        settings.CART = replace(settings.CART, redis_url=own.url)
        make_sku(on_hand=500)
        client = own.client()
        homes = {n: own.node_of(client.keyslot(keys.cart(f"u:{n}"))).port for n in range(1, 30)}
        lost = own.nodes[1]
        for number in homes:
            services.add_line(ref=customer(number), sku_id="MUG", quantity=1, now=NOW)
        recorder.drain()

        lost.kill()

        for number, port in homes.items():
            cart = selectors.get_cart(ref=customer(number))
            assert (quantities(cart), cart.is_copy) == ({"MUG": 1}, port == lost.port)
    finally:
        own.stop()
