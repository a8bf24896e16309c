"""Pure arithmetic of prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pricing.types import Demand, PriceQuote, QuoteLine
from shop.core.money import Money, total


def price_demands(*, demands: Sequence[Demand], prices: Mapping[str, Money], currency: str) -> PriceQuote:
    """Price a cart. Demands for one SKU are summed and stand where the first one stood.

    A SKU without a price is named in `unpriced` and is in no total.

    :raises ValueError: if a quantity is below 1.
    """
    wanted: dict[str, int] = {}
    for demand in demands:
        if demand.quantity < 1:
            msg = f"a quantity of {demand.quantity} has no price"
            raise ValueError(msg)
        wanted[demand.sku_id] = wanted.get(demand.sku_id, 0) + demand.quantity
    lines = tuple(
        QuoteLine(sku_id, quantity, prices[sku_id], prices[sku_id] * quantity)
        for sku_id, quantity in wanted.items()
        if sku_id in prices
    )
    subtotal = total([line.line_total for line in lines], currency)
    return PriceQuote(
        currency=currency,
        lines=lines,
        unpriced=tuple(sku_id for sku_id in wanted if sku_id not in prices),
        subtotal=subtotal,
        total=subtotal,
    )
