"""What a shopper has to have said and seen before money is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cart.types import Cart
from shop.checkout import models
from shop.checkout.errors import CheckoutIncompleteError, PriceChangedError
from shop.checkout.selectors.checkouts import QuotedLine
from shop.checkout.services import rows
from shop.checkout.services.details import countries_of
from shop.checkout.services.quoting import Offer, frozen_quote, note_shown, offer, requote, shown_in_checkout
from shop.core.errors import ErrorDetail


def require_complete(row: models.Checkout) -> None:
    """Make sure that it is known who buys, and where to send it.

    :raises CheckoutIncompleteError: with one detail for each thing that is missing.
    """
    is_elsewhere = bool(row.address) and row.address["country"] not in countries_of(row.currency)
    missing = (
        ("/email", "email_missing", not row.email),
        ("/shipping_address", "address_missing", not row.address),
        # Typed before another region was chosen.
        ("/shipping_address/country", "country_not_in_region", is_elsewhere),
    )
    errors = tuple(ErrorDetail(pointer, code) for pointer, code, is_missing in missing if is_missing)
    if errors:
        raise CheckoutIncompleteError(errors=errors)


def require_agreed(
    row: models.Checkout, lines: Sequence[QuotedLine], cart: Cart, *, expected_total: int, now: datetime
) -> Offer | None:
    """Make sure that the shopper saw what is about to be charged; give the new quote if the price lock is over.

    :raises PriceChangedError: if the cart holds other lines, or the total is another.
    """
    if not cart.is_copy and cart.content_version != row.cart_content_version:
        wanted = {line.sku_id: line.quantity for line in cart.lines}
        if cart.currency != row.currency or wanted != {line.sku_id: line.quantity for line in lines}:
            shown = {line.sku_id: line.price_at_add for line in cart.lines} | shown_in_checkout(row, lines)
            present = offer(
                wanted=cart.lines,
                currency=cart.currency,
                shown=shown,
                owner=row.owner,
                code_ids=cart.codes,
                now=now,
                customer_key=rows.customer_key(row.owner, row.email),
            )
            note_shown(present, owner=row.owner, cart_content_version=cart.content_version, checkout_id=row.checkout_id)
            raise PriceChangedError(present.quote, present.changes)
    fresh = requote(row, lines, now=now) if row.lock_expires_at <= now else None
    if fresh is None:
        if expected_total != row.total_minor:
            raise PriceChangedError(frozen_quote(row, lines), ())
        return None
    total = fresh.quote.total.minor
    has_fallen = total < row.total_minor == expected_total
    if total != expected_total and not has_fallen:
        note_requoted(row, fresh)
        raise PriceChangedError(fresh.quote, fresh.changes)
    return fresh


def note_requoted(row: models.Checkout, fresh: Offer) -> None:
    """Note that the quote made after the price lock was shown."""
    note_shown(
        fresh,
        owner=row.owner,
        cart_content_version=row.cart_content_version,
        checkout_id=row.checkout_id,
        is_lock_over=True,
    )
