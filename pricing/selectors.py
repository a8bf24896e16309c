"""Reads of prices: one query each, whatever the number of SKUs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from pricing.models import Price
from pricing.rules import price_demands
from pricing.types import Demand, PriceQuote
from shop.core.db import prepared
from shop.core.money import Money

CURRENT_PRICE = """
(SELECT p.unit_price_minor FROM pricing_price p
  WHERE p.sku_id = s.sku_id AND p.currency = %(currency)s AND p.segment = ''
    AND p.valid_from <= %(now)s AND (p.valid_until IS NULL OR p.valid_until > %(now)s)
  ORDER BY p.valid_from DESC LIMIT 1)
"""
"""The list price in force at `now` of the SKU of a row called `s`, or NULL: for another query about SKUs, so that a
caller that wants cards and prices asks once. Its parameters: `price_params`."""

_PRICES = f"SELECT s.sku_id, {CURRENT_PRICE} FROM unnest(%(sku_ids)s::text[]) AS s(sku_id)"  # noqa: S608 - constants


def price_params(*, currency: str, now: datetime) -> dict[str, Any]:
    """Give the parameters of `CURRENT_PRICE`."""
    return {"currency": currency, "now": now}


def current_prices(*, sku_ids: Collection[str], currency: str, now: datetime) -> dict[str, Money]:
    """Give the list price in force at `now` of each SKU that has one: the valid price that began last."""
    if not sku_ids:
        return {}
    found = prepared(_PRICES, {"sku_ids": [*set(sku_ids)], **price_params(currency=currency, now=now)})
    return {sku_id: Money(minor, currency) for sku_id, minor in found if minor is not None}


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
