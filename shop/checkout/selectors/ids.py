"""Ids and owners as text."""

from __future__ import annotations

import re

from shop.checkout.types import Principal

_ID = re.compile(r"[a-z]{2,5}_[0-9A-Z]{24}", re.ASCII)


def is_id(text: str) -> bool:
    """Tell whether `text` has the shape of one of our ids. Nothing else is looked up."""
    return _ID.fullmatch(text) is not None


def pointer(sku_id: str) -> str:
    """Point at a line of the cart, as JSON Pointer (RFC 6901) escapes it."""
    return "/items/" + sku_id.replace("~", "~0").replace("/", "~1")


def principal_of(owner: str) -> Principal:
    """Name the owner of rows as the one who asks: for tasks and staff, who act for them."""
    return Principal(owner=owner, user_id=int(owner[2:]) if owner.startswith("u:") else None)
