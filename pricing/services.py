"""Writes of prices."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from pricing.errors import PriceInvalidError
from pricing.models import MAX_UNIT_PRICE_MINOR, Price
from shop.core.errors import ErrorDetail
from shop.core.money import Money


def set_price(*, sku_id: str, unit_price: Money, valid_from: datetime, segment: str = "") -> None:
    """Let a price be in force from a moment on, until a later one begins; what was in force before stays on record.

    Setting another price for the same moment replaces that price.

    :raises PriceInvalidError: if the price is not from 1 to 100,000,000 minor units.
    """
    if not 1 <= unit_price.minor <= MAX_UNIT_PRICE_MINOR:
        raise PriceInvalidError(errors=(ErrorDetail("/unit_price", "price_range", {"limit": MAX_UNIT_PRICE_MINOR}),))
    with transaction.atomic():
        Price.objects.update_or_create(
            sku_id=sku_id,
            currency=unit_price.currency,
            segment=segment,
            valid_from=valid_from,
            defaults={"unit_price_minor": unit_price.minor, "valid_until": None},
        )
