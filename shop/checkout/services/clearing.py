"""What a decided payment means for the cart in Redis: ordered lines leave it, and it may be changed again."""

from __future__ import annotations

from datetime import datetime

import structlog

from cart import services as carts
from cart.errors import CartMergedError
from shop.checkout import models
from shop.checkout.services import rows
from shop.core.errors import Refusal

log = structlog.get_logger(__name__)


def finish_order(*, number: str, now: datetime) -> bool:
    """Take the ordered lines out of the cart in Redis and note it; lines added since stay. Safe to repeat.

    False if the cart cannot be changed now: then the sweep does it later.
    """
    order = models.Order.objects.filter(number=number).first()
    if order is None or order.cart_cleared_at is not None:
        return True
    ref = rows.ref_of(order.owner)
    try:
        carts.clear_ordered(
            ref=ref,
            content_version=order.cart_content_version,
            order_number=number,
            lines=order.lines.all(),
        )
    except CartMergedError:
        log.info("cart_merged_before_it_was_cleared", order=number)
    except Refusal as error:
        log.warning("cart_not_cleared", order=number, reason=error.code)
        return False
    models.Order.objects.filter(number=number, cart_cleared_at__isnull=True).update(cart_cleared_at=now)
    return True


def unlock_cart(owner: str, *, checkout_id: str) -> None:
    """Let a cart be changed again after a payment that failed; should Redis not answer, its lock ends by itself."""
    try:
        carts.unlock(ref=rows.ref_of(owner), checkout_id=checkout_id)
    except Refusal as error:
        log.warning("cart_not_unlocked", checkout=checkout_id, reason=error.code)
