"""`/metrics`: what a scrape learns, and who may scrape."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from cart import recorder
from cart import services as carts
from cart.models import DeadLetter
from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.models import StockItem
from shop.watch.conf import WatchConf
from shop.watch.metrics import Metric
from shop.watch.tasks import check_shop
from tests.cart.helpers import NOW, customer, make_sku
from tests.inventory.helpers import demands, stock

pytestmark = pytest.mark.django_db


def scrape(client: Client) -> dict[str, float]:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = (line.rpartition(" ") for line in response.content.decode().splitlines() if not line.startswith("#"))
    return {name: float(number) for name, _, number in samples}


def test_a_scrape_tells_what_is_reserved_refused_and_wrong(client: Client) -> None:
    stock(MUG=3, LAMP=5)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    for number in range(3, 5):
        with contextlib.suppress(InsufficientStockError):
            inventory.reserve(demands=demands(MUG=2, LAMP=1), owner=f"chk_{number}")
    inventory.reserve(demands=demands(LAMP=1), owner="chk_2", ttl_seconds=-50)
    StockItem.objects.filter(pk="LAMP").update(reserved=3)
    check_shop()

    found = scrape(client)

    assert found["trolley_stock_reservations_live"] == 2
    assert found["trolley_stock_reserved_units"] == 3
    assert found["trolley_stock_reservations_overdue"] == 1
    assert 50 <= found["trolley_stock_reservation_overdue_seconds"] < 120
    assert found['trolley_stock_refused_total{sku="MUG"}'] == 2
    assert 'trolley_stock_refused_total{sku="LAMP"}' not in found
    assert found['trolley_alerts_open{section="stock"}'] == 1
    assert found['trolley_alerts_open{section="reservations"}'] == 0


def test_a_scrape_tells_how_recording_goes_and_stands_a_redis_that_is_away(client: Client, settings: Settings) -> None:
    assert scrape(client)["trolley_cart_recorder_up"] == 0
    make_sku()
    carts.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    DeadLetter.objects.create(partition=1, entry_id="1-1", owner="u:1", fields="{}", error="?", deliveries=6)
    carts.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)

    found = scrape(client)

    names = ("recorder_up", "events_waiting", "snapshots_stale_total", "dead_letters")
    assert [found[f"trolley_cart_{name}"] for name in names] == [1, 0, 0, 1]
    settings.CART = replace(settings.CART, redis_url="redis://127.0.0.1:1/0")
    found = scrape(client)
    assert found["trolley_cart_dead_letters"] == 1
    assert "trolley_cart_recorder_up" not in found


@pytest.mark.parametrize(
    ("address", "header", "status"),
    [
        *[("127.0.0.1", {}, 200), ("::1", {}, 200), ("10.0.0.8", {}, 404), ("", {}, 404)],
        *[("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404), ("127.0.0.1", {"Forwarded": "for=10.0.0.8"}, 404)],
    ],
)
def test_only_networks_that_are_allowed_may_scrape(
    client: Client, address: str, header: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address, headers=header).status_code == status


def test_a_network_that_is_none_stops_the_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="WATCH_METRICS_ALLOW"):
        WatchConf(metrics_allow="10.0.0.0/8,everywhere")
    assert WatchConf(metrics_allow="").networks() == ()


def test_labels_are_escaped() -> None:
    metric = Metric("m", "counter", "Help.", label="sku", samples={'a"b\\c\nd': 1})

    assert list(metric.lines())[-1] == 'm{sku="a\\"b\\\\c\\nd"} 1'
