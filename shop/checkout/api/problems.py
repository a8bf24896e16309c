"""What a client is told of the present state when a checkout or payment is refused."""

from __future__ import annotations

from typing import Any

from shop.checkout.api.representations import quote_json
from shop.checkout.errors import CheckoutChangedError, PaymentDeclinedError, PriceChangedError
from shop.core.preconditions import etag
from shop.core.problems import current_state


@current_state.register
def _price_changed(refusal: PriceChangedError) -> dict[str, Any]:
    return quote_json(refusal.quote, refusal.changes)


@current_state.register
def _checkout_changed(refusal: CheckoutChangedError) -> dict[str, Any]:
    return {"checkout_version": refusal.version, "etag": etag(refusal.version)}


@current_state.register
def _payment_declined(refusal: PaymentDeclinedError) -> dict[str, Any]:
    return {"payment_id": refusal.payment_id, "decline_reason": refusal.reason}
