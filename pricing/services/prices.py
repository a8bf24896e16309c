"""Prices that are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pricing.errors import PriceInvalidError
from pricing.models import MAX_UNIT_PRICE_MINOR, Price
from pricing.types import NewPrice
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
    add_prices(
        prices=[
            NewPrice(sku_id, prices[sku_id].minor, prices[sku_id].currency, segment, valid_from)
            for sku_id in sorted(prices)
        ]
    )


def add_prices(*, prices: Sequence[NewPrice]) -> tuple[int, ...]:
    """Add prices of any SKUs, currencies, segments and dates in one statement; give their ids.

    A price of the same SKU, currency, segment and moment is replaced. Rows are written, and so locked, in one order
    whatever the caller's, so that two who set the same prices do not wait for each other.

    :raises IntegrityError: if one is impossible; then none is added.
    """
    ordered = sorted(prices, key=_key)
    made = Price.objects.bulk_create(
        [
            Price(
                sku_id=price.sku_id,
                currency=price.currency,
                segment=price.segment,
                unit_price_minor=price.unit_price_minor,
                valid_from=price.valid_from,
                valid_until=price.valid_until,
            )
            for price in ordered
        ],
        update_conflicts=True,
        unique_fields=["sku_id", "currency", "segment", "valid_from"],
        update_fields=["unit_price_minor", "valid_until"],
    )
    ids = {_key(price): row.pk for price, row in zip(ordered, made, strict=True)}
    return tuple(ids[_key(price)] for price in prices)


def _key(price: NewPrice) -> tuple[str, str, str, datetime]:
    return price.sku_id, price.currency, price.segment, price.valid_from
