"""/livez and /readyz: what they ask, and what they say when something is away."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from inventory import services as inventory
from shop import health
from shop.core.redis import place_of


def test_the_process_says_that_it_lives_without_asking_a_server(client: Client) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.post("/livez").status_code == 405


def _ready(client: Client) -> dict[str, Any]:
    response = client.get("/readyz")
    body: dict[str, Any] = response.json()
    assert response.status_code == (200 if body["status"] == "ok" else 503)
    assert response.headers["Cache-Control"] == "no-store"
    return body


def test_readiness_names_each_check(client: Client, db: None) -> None:
    checks = _ready(client)["checks"]

    assert set(checks) == {
        "postgresql",
        "migrations",
        "clock",
        "cart_redis",
        "cache_redis",
        "separate_redis",
        "recorder",
        "webhooks",
        "payments",
        "ordered_carts",
        "messages",
        "overdue_reservations",
        "sweep",
    }
    for name in (
        "postgresql",
        "migrations",
        "clock",
        "cart_redis",
        "cache_redis",
        "separate_redis",
        "webhooks",
        "messages",
    ):
        assert checks[name]["ok"], name
    assert checks["recorder"] == {"ok": False, "detail": "no sign of life"}
    assert checks["sweep"] == {"ok": False, "detail": "never ran"}


def test_readiness_is_reached_once_sweep_and_recorder_have_run(client: Client, db: None) -> None:
    inventory.sweep()
    call_command("record_cart_events", "--once")

    assert _ready(client)["status"] == "ok"


@pytest.mark.fault
def test_readiness_says_which_redis_is_away(client: Client, db: None, settings: Settings) -> None:
    settings.CART = dataclasses.replace(settings.CART, redis_url="redis://127.0.0.1:1/0")

    body = _ready(client)

    assert body["status"] == "not ready"
    assert body["checks"]["cart_redis"]["ok"] is False
    assert body["checks"]["cache_redis"]["ok"] is True


def test_readiness_says_if_carts_share_a_database(client: Client, db: None, settings: Settings) -> None:
    settings.CART = dataclasses.replace(settings.CART, redis_url=settings.CACHES["default"]["LOCATION"])

    assert _ready(client)["checks"]["separate_redis"]["ok"] is False


@pytest.mark.parametrize(
    ("one", "other", "is_one_place"),
    [
        ("redis://127.0.0.1:6379/0", "redis://localhost", True),
        ("redis://:secret@cache.example.com/1", "rediss://user:other@CACHE.example.com:6379/1", True),
        ("redis://[::1]:6390/2", "redis://localhost:6390?db=2", True),
        ("unix:///run/redis.sock?db=1", "redis+socket:///run/redis.sock?virtual_host=1", True),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0", True),
        ("redis+sentinel://a:1,b:2/main/0", "redis+sentinel://b:2,a:1/main/0", True),
        ("redis://localhost/0", "redis://localhost/1", False),
        ("redis://localhost:6379/0", "redis://localhost:6390/0", False),
        ("redis://cart.example.com", "redis://cache.example.com", False),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=2", False),
    ],
)
def test_one_database_is_known_however_its_url_is_spelt(one: str, other: str, *, is_one_place: bool) -> None:
    assert (place_of(one) == place_of(other)) is is_one_place


@pytest.mark.fault
def test_readiness_stands_a_database_that_is_away(client: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("no route to host 10.0.0.1")

    monkeypatch.setattr(health, "rows", fail)

    body = _ready(client)

    assert body["checks"]["postgresql"] == {"ok": False, "detail": "no answer (OperationalError)"}
    assert "10.0.0.1" not in json.dumps(body)
