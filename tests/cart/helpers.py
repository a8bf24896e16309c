"""Goods to put into carts, and carts to put them into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from redis.connection import AbstractConnection

from cart.types import Cart, CartRef
from inventory import services as inventory
from inventory.types import StockReason
from pricing import services as pricing
from shop.catalog.models import Product, Sku
from shop.core.ids import hash_token, new_token
from shop.core.money import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_sku(sku_id: str = "MUG", *, price: int = 1_200, on_hand: int = 50, is_sellable: bool = True) -> str:
    """Make a SKU that can be bought."""
    product, _ = Product.objects.get_or_create(
        slug="enamel-mug", defaults={"title": "Enamel mug", "category": "Kitchen"}
    )
    Sku.objects.create(sku_id=sku_id, product=product, is_sellable=is_sellable, options=[["Number", sku_id]])
    pricing.set_prices(prices={sku_id: Money(price, "GBP")}, valid_from=datetime(2025, 1, 1, tzinfo=UTC))
    if on_hand:
        inventory.adjust(sku_id=sku_id, delta=on_hand, reason=StockReason.RECEIVED, by=None)
    return sku_id


def new_guest() -> CartRef:
    """Name a guest who was never here."""
    return CartRef("g", hash_token(new_token()))


def customer(user_id: int = 7) -> CartRef:
    """Name a customer's cart."""
    return CartRef("u", str(user_id))


def quantities(cart: Cart) -> dict[str, int]:
    """Tell how many of what."""
    return {line.sku_id: line.quantity for line in cart.lines}


def round_trips(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Gather what this process sends to Redis: one entry a round trip, however many commands it holds."""
    sent: list[object] = []
    send = AbstractConnection.send_packed_command

    def spy(self: AbstractConnection, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002
        sent.append(command)
        send(self, command, check_health=check_health)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(AbstractConnection, "send_packed_command", spy)
    return sent
