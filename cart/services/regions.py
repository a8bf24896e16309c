"""Choosing where a cart is bought: its currency follows."""

from __future__ import annotations

from cart.errors import RegionUnknownError
from cart.services.applying import apply
from cart.types import CartChange, CartRef
from pricing import regions


def choose_region(*, ref: CartRef, code: str) -> CartChange:
    """Buy this cart in another region: prices are those of its currency from now on, and an open checkout asks anew.

    Lines keep the price at which they were added, to be told of. The region that it has is success.

    :raises RegionUnknownError: if the shop has no such region.
    :raises Refusal: as `applying.apply` says; also while the cart is being paid for.
    """
    if not regions.are_many() or regions.find(code) is None:
        raise RegionUnknownError
    return apply(ref=ref, operations=[{"op": "region", "code": code, "is_chosen": True}], reason="region")
