"""A client of the API as an app is one, and a shelf to buy from."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from inventory.models import StockItem
from pricing.models import Price
from shop.catalog.models import Product, Sku

Answer = HttpResponse
"""With `json()`, as Django's test client makes it."""


def sell(
    sku_id: str,
    *,
    price: int = 1400,
    on_hand: int = 10,
    reserved: int = 0,
    is_sellable: bool = True,
    title: str = "Enamel mug",
) -> str:
    """Put a SKU on the shelf, in a product of its own, and give its id."""
    product = Product.objects.create(slug=f"p-{sku_id.lower()}", title=title, category="Kitchen")
    Sku.objects.create(sku_id=sku_id, product=product, options=[["Size", "350 ml"]], is_sellable=is_sellable)
    set_price(sku_id, price)
    StockItem.objects.create(sku_id=sku_id, on_hand=on_hand, reserved=reserved)
    return sku_id


def set_price(sku_id: str, minor: int) -> None:
    """Let a SKU cost so much from now on."""
    Price.objects.filter(sku_id=sku_id).delete()
    Price.objects.create(
        sku_id=sku_id,
        currency="GBP",
        unit_price_minor=minor,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )


@dataclass(slots=True)
class Api:
    """A client without cookies: keeps the guest's session and the customer's token as headers, as an app does."""

    cart_session: str = ""
    token: str = ""
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def __call__(
        self,
        method: str,
        path: str,
        data: object = None,
        *,
        raw: bytes | None = None,
        key: bool | str = False,
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        """Send a request; `data` as JSON, or `raw` bytes; `key` adds an Idempotency-Key, its own or a new one."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cart_session:
            sent.setdefault("Cart-Session", self.cart_session)
        if self.token:
            sent.setdefault("X-Session-Token", self.token)
        if key:
            sent["Idempotency-Key"] = key if isinstance(key, str) else str(uuid.uuid4())
        body = raw if raw is not None else b"" if data is None else json.dumps(data).encode()
        response = self.client.generic(
            method,
            path if path.startswith("/") else f"/api/v1/{path}",
            body,
            content_type=content_type if body or raw is not None else "",
            headers=sent,
        )
        self.client.cookies.clear()
        if "Cart-Session" in response.headers:
            self.cart_session = response.headers["Cart-Session"]
        return response

    def sign_in(self, email: str, password: str) -> Any:
        """Sign in; the guest's session, if any, is sent along and forgotten afterwards."""
        response = self("POST", "auth/app/v1/auth/login", {"email": email, "password": password})
        if response.status_code == 200:
            self.token = response.json()["meta"]["session_token"]
            self.cart_session = ""
        return response


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a problem of this status and code, whole and uncached; give its body."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content[:300]
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body["type"] == f"/api/v1/problems/{code}"
    assert body["title"]
    assert body["detail"]
    assert body["instance"].startswith("urn:request:")
    assert response.headers["Cache-Control"] == "no-store"
    return body


@contextmanager
def commands(client: redis.Redis) -> Iterator[list[str]]:
    """Gather the commands that the cart's Redis is sent from outside (not by scripts)."""
    seen: list[str] = []
    database = client.connection_pool.connection_kwargs.get("db", 0)
    client.ping()  # connects; its greeting is not counted
    with redis.Redis.from_url(settings.CART.redis_url) as other, other.monitor() as monitor:
        yield seen
        client.echo("the end")
        for command in monitor.listen():
            name = command["command"].split()[0].upper()
            if name == "ECHO" and command["db"] == database:  # another worker watches the same server
                break
            is_greeting = name in ("HELLO", "CLIENT", "SELECT")  # of a new connection
            if command["client_type"] != "lua" and command["db"] == database and not is_greeting:
                seen.append(name)
