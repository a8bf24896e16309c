"""Refusals of pricing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import RejectedError


@dataclass(eq=False)
class PriceInvalidError(RejectedError):
    """The price is not a possible one (details: `price_range`)."""

    code: ClassVar[str] = "price_invalid"
