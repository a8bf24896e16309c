"""What a decided payment means for the cart in Redis: ordered lines leave it, and it may be changed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from cart import services as carts
from cart.errors import CartMergedError
from cart.services.ordering import OrderedLine
from shop.checkout import models
from shop.checkout.services import rows
from shop.core.db import prepared
from shop.core.errors import Refusal

log = structlog.get_logger(__name__)

_CLEARED = """
UPDATE checkout_order SET cart_cleared_at = %(now)s WHERE number = %(number)s AND cart_cleared_at IS NULL
RETURNING number
"""


@dataclass(frozen=True, slots=True)
class Ordered:
    """What an order took out of whose cart."""

    owner: str
    cart_content_version: int
    lines: Sequence[OrderedLine]


def finish_order(*, number: str, now: datetime, known: Ordered | None = None) -> bool:
    """Take the ordered lines out of the cart in Redis and note it; lines added since stay. Safe to repeat.

    `known` spares two queries where the order was placed a moment ago.
    False if the cart cannot be changed now: then the sweep does it later.
    """
    ordered = known or _find_uncleared(number)
    if ordered is None:
        return True
    try:
        carts.clear_ordered(
            ref=rows.ref_of(ordered.owner),
            content_version=ordered.cart_content_version,
            order_number=number,
            lines=ordered.lines,
        )
    except CartMergedError:
        log.info("cart_merged_before_it_was_cleared", order=number)
    except Refusal as error:
        log.warning("cart_not_cleared", order=number, reason=error.code)
        return False
    prepared(_CLEARED, {"number": number, "now": now})
    return True


def _find_uncleared(number: str) -> Ordered | None:
    order = models.Order.objects.filter(number=number).first()
    if order is None or order.cart_cleared_at is not None:
        return None
    return Ordered(order.owner, order.cart_content_version, list(order.lines.all()))


def unlock_cart(owner: str, *, checkout_id: str) -> None:
    """Let a cart be changed again after a payment that failed; should Redis not answer, its lock ends by itself."""
    try:
        carts.unlock(ref=rows.ref_of(owner), checkout_id=checkout_id)
    except Refusal as error:
        log.warning("cart_not_unlocked", checkout=checkout_id, reason=error.code)
