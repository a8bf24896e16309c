"""Reads of prices: one query each, whatever the number of SKUs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet, Subquery

from pricing.models import Price
from pricing.rules import price_demands
from pricing.types import Demand, PriceQuote
from shop.core.money import Money


def current_prices(*, sku_ids: Collection[str], currency: str, now: datetime) -> dict[str, Money]:
    """Give the list price in force at `now` of each SKU that has one: the valid price that began last."""
    if not sku_ids:
        return {}
    prices = (
        _in_force(currency=currency, now=now)
        .filter(sku_id__in=set(sku_ids))
        .order_by("sku_id", "-valid_from")
        .distinct("sku_id")
        .values_list("sku_id", "unit_price_minor")
    )
    return {sku_id: Money(minor, currency) for sku_id, minor in prices}


def current_price_of(*, sku_id: OuterRef, currency: str, now: datetime) -> Subquery:
    """Give what `current_prices` gives as an expression for another query about SKUs: minor units, or NULL.

    So a caller that wants cards and prices of the same SKUs asks once.
    """
    prices = _in_force(currency=currency, now=now).filter(sku_id=sku_id).order_by("-valid_from")
    return Subquery(prices.values("unit_price_minor")[:1])


def _in_force(*, currency: str, now: datetime) -> QuerySet[Price]:
    """List prices of which the one that began last is in force."""
    return Price.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=now), currency=currency, segment="", valid_from__lte=now
    )


def quote(*, demands: Sequence[Demand], currency: str, now: datetime) -> PriceQuote:
    """Price a cart at `now`, all SKUs in one query.

    :raises ValueError: if a quantity is below 1.
    """
    prices = current_prices(sku_ids=[demand.sku_id for demand in demands], currency=currency, now=now)
    return price_demands(demands=demands, prices=prices, currency=currency)
