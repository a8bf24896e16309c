"""Prices that are set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pricing.errors import PriceInvalidError
from pricing.models import MAX_UNIT_PRICE_MINOR, Price
from shop.core.errors import ErrorDetail
from shop.core.money import Money


def set_prices(*, prices: Mapping[str, Money], valid_from: datetime, segment: str = "") -> None:
    """Let prices (by SKU) be in force from a moment on, until a later one begins, in one statement.

    What was in force before stays on record. A price of the same moment is replaced.

    :raises PriceInvalidError: if a price is not from 1 to 100,000,000 minor units; then none is set.
    """
    wrong = [sku_id for sku_id, price in prices.items() if not 1 <= price.minor <= MAX_UNIT_PRICE_MINOR]
    if wrong:
        raise PriceInvalidError(
            errors=tuple(ErrorDetail(f"/{sku_id}", "price_range", {"limit": MAX_UNIT_PRICE_MINOR}) for sku_id in wrong)
        )
    Price.objects.bulk_create(
        [
            Price(
                sku_id=sku_id,
                currency=prices[sku_id].currency,
                segment=segment,
                unit_price_minor=prices[sku_id].minor,
                valid_from=valid_from,
            )
            for sku_id in sorted(prices)
        ],
        update_conflicts=True,
        unique_fields=["sku_id", "currency", "segment", "valid_from"],
        update_fields=["unit_price_minor", "valid_until"],
    )
