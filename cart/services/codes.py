"""Discount codes that are entered into a cart and taken out again. The cart keeps their ids; pricing knows the rest."""

from __future__ import annotations

from datetime import datetime

from cart import selectors
from cart.offers import list_offers
from cart.services.applying import apply
from cart.types import Cart, CartChange, CartRef
from pricing import selectors as pricing
from pricing.errors import CodeNotCombinableError, CodeUnknownError, refusal_of
from pricing.types import CodeOff, Demand

MAX_CODES = 5


def apply_code(*, ref: CartRef, code: str, now: datetime) -> CartChange:
    """Enter a discount code, however it is written. One that is entered already is success.

    It must take something off this cart as it is, and leave the codes that do so now in force. Nothing is claimed: that
    happens when a payment starts. The edge limits the tries.

    :raises CodeUnknownError: if there is no such code, or it is another customer's.
    :raises CodeNotYetError, CodeExpiredError, CodeUsedUpError: if it is not valid now.
    :raises CodeMinimumError, CodeNotForCartError: if this cart has too little for it, or nothing.
    :raises CodeNotCombinableError: if it does not go together with what applies already.
    :raises Refusal: also as `applying.apply` says.
    """
    code_id = pricing.find_code(text=code, owner=ref.owner)
    if code_id is None:
        raise CodeUnknownError
    cart = selectors.get_cart(ref=ref)
    if code_id not in cart.codes:
        _require_effect(cart, code_id, now)
    return apply(ref=ref, operations=[{"op": "code", "id": code_id, "on": True, "most": MAX_CODES}], reason="code")


def remove_code(*, ref: CartRef, code: str = "", code_id: int | None = None) -> CartChange:
    """Take a code out: by the code itself or as it is shown, or by its id. Success also where it is not in the cart.

    :raises Refusal: as `applying.apply` says.
    """
    if code_id is None:
        mine = selectors.get_cart(ref=ref).codes
        code_id = pricing.find_code_among(text=code, code_ids=mine) if mine else None
    operations = [] if code_id is None else [{"op": "code", "id": code_id, "on": False}]
    return apply(ref=ref, operations=operations, reason="code_off")


def _require_effect(cart: Cart, code_id: int, now: datetime) -> None:
    owner = cart.ref.owner if cart.ref else ""
    offers = list_offers(sku_ids={line.sku_id for line in cart.lines}, now=now, customer=owner, code=cart.currency)
    quote = pricing.quote(
        demands=[Demand(line.sku_id, line.quantity) for line in cart.lines if offers.is_sold(line.sku_id)],
        currency=cart.currency,
        now=now,
        owner=owner,
        code_ids=(*cart.codes, code_id),
        prices=offers.prices,
    )
    reasons = {off.code_id: off for off in quote.codes_off}
    if code_id in reasons:
        raise refusal_of(reasons[code_id])
    if all(discount.code_id != code_id for discount in quote.discounts):
        raise refusal_of(CodeOff(code_id, "", "code_not_for_cart"))  # an empty cart is not asked about
    if any(off.reason == CodeNotCombinableError.code for off in quote.codes_off):
        raise CodeNotCombinableError
