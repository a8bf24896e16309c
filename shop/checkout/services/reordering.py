"""Put what was ordered before into the cart once more, at today's prices."""

from __future__ import annotations

from datetime import datetime

from cart import services as carts
from cart.types import CartChange, CartRef, LineChange
from inventory import selectors as inventory
from shop.catalog import selectors as catalog
from shop.checkout.errors import NothingToReorderError
from shop.checkout.types import OrderView, Reordered, ReorderedLine, ReorderOutcome


def reorder(*, order: OrderView, ref: CartRef, operation_id: str, now: datetime) -> tuple[Reordered, CartChange]:
    """Add an order's lines to a cart, as many as are sold and there, in one change; tell what became of each.

    The caller has made sure that the order is the asker's. Prices of the order mean nothing here.

    :raises NothingToReorderError: if nothing of it is sold and in stock; the cart is unchanged.
    :raises Refusal: what the cart refuses otherwise, such as `cart_full` or `cart_locked`.
    """
    sku_ids = [line.sku_id for line in order.lines]
    cards = catalog.list_cards(sku_ids=sku_ids)
    stock = inventory.availability(sku_ids=sku_ids)
    sold = {sku_id for sku_id in sku_ids if sku_id in cards and cards[sku_id].is_sellable}
    there = {sku_id for sku_id in sold if stock[sku_id].available > 0}
    changes = [LineChange("add", line.sku_id, line.quantity) for line in order.lines if line.sku_id in there]
    if not changes:
        raise NothingToReorderError
    change = carts.change_lines(ref=ref, changes=changes, operation_id=operation_id, is_clamping=True, now=now)
    short = {
        warning.sku_id: dict(warning.params).get("requested", 0) - dict(warning.params).get("quantity", 0)
        for warning in change.warnings
        if warning.code == "clamped"
    }
    lines = tuple(
        ReorderedLine(
            sku_id=line.sku_id,
            title=line.title,
            outcome=_outcome(line.sku_id, sold, there, short),
            ordered=line.quantity,
            added=max(0, line.quantity - short.get(line.sku_id, 0)) if line.sku_id in there else 0,
        )
        for line in order.lines
    )
    return Reordered(lines=lines), change


def _outcome(sku_id: str, sold: set[str], there: set[str], short: dict[str, int]) -> ReorderOutcome:
    if sku_id not in sold:
        return ReorderOutcome.DISCONTINUED
    if sku_id not in there:
        return ReorderOutcome.SOLD_OUT
    return ReorderOutcome.CAPPED if short.get(sku_id, 0) > 0 else ReorderOutcome.ADDED
