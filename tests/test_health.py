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


@pytest.mark.fault
def test_readiness_stands_a_database_that_is_away(client: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("no route to host 10.0.0.1")

    monkeypatch.setattr(health, "rows", fail)

    body = _ready(client)

    assert body["checks"]["postgresql"] == {"ok": False, "detail": "no answer (OperationalError)"}
    assert "10.0.0.1" not in json.dumps(body)
