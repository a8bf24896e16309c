"""Frozen values of pricing."""

from __future__ import annotations

from dataclasses import dataclass

from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class Demand:
    """So many units of one SKU."""

    sku_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One SKU of a quote."""

    sku_id: str
    quantity: int
    unit_price: Money
    line_total: Money


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """An immutable priced cart. `unpriced` names SKUs without a price in this currency; they are in no total."""

    currency: str
    lines: tuple[QuoteLine, ...]
    unpriced: tuple[str, ...]
    subtotal: Money
    total: Money

    def unit_price(self, sku_id: str) -> Money | None:
        """Give the unit price of one SKU, None if it has none."""
        return next((line.unit_price for line in self.lines if line.sku_id == sku_id), None)
