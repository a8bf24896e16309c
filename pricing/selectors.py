"""Reads of prices: one query each, whatever the number of SKUs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable

from pricing.models import CustomerSegment, DiscountCode, Price, PriceDelta, Promotion, Redemption
from pricing.reductions import list_reductions, user_of
from pricing.rules import canonical_code, price_demands
from pricing.types import Demand, OrderDelta, PriceQuote
from shop.core.db import prepared
from shop.core.ids import hash_token
from shop.core.money import Money

CURRENT_PRICE = """
(SELECT p.unit_price_minor FROM pricing_price p
  WHERE p.sku_id = s.sku_id AND p.currency = %(currency)s
    AND p.segment IN ('', (SELECT m.segment FROM pricing_customersegment m WHERE m.user_id = %(user_id)s::bigint))
    AND p.valid_from <= %(now)s AND (p.valid_until IS NULL OR p.valid_until > %(now)s)
  ORDER BY p.segment DESC, p.valid_from DESC LIMIT 1)
"""
"""The price in force at `now` of the SKU of a row called `s`, or NULL: for another query about SKUs, so that a caller
that wants cards and prices asks once. A price of the customer's own segment goes before the list price. Its parameters:
`price_params`."""

_PRICES = f"SELECT s.sku_id, {CURRENT_PRICE} FROM unnest(%(sku_ids)s::text[]) AS s(sku_id)"  # noqa: S608 - constants


def price_params(*, currency: str, now: datetime, owner: str = "") -> dict[str, Any]:
    """Give the parameters of `CURRENT_PRICE`; `owner` is who asks, such as `u:42`."""
    return {"currency": currency, "now": now, "user_id": user_of(owner)}


def current_prices(*, sku_ids: Collection[str], currency: str, now: datetime, owner: str = "") -> dict[str, Money]:
    """Give the price in force at `now` of each SKU that has one: the valid price that began last.

    A price of the segment of `owner` (such as `u:42`) goes before the list price.
    """
    if not sku_ids:
        return {}
    found = prepared(_PRICES, {"sku_ids": [*set(sku_ids)], **price_params(currency=currency, now=now, owner=owner)})
    return {sku_id: Money(minor, currency) for sku_id, minor in found if minor is not None}


def current_price_of(*, sku_id: OuterRef, currency: str | Combinable, now: datetime) -> Subquery:
    """Give what `current_prices` gives as an expression for another query about SKUs: minor units, or NULL.

    So a caller that wants cards and prices of the same SKUs asks once.
    """
    prices = _in_force(currency=currency, now=now).filter(sku_id=sku_id).order_by("-valid_from")
    return Subquery(prices.values("unit_price_minor")[:1])


def _in_force(*, currency: str | Combinable, now: datetime) -> QuerySet[Price]:
    """List prices of which the one that began last is in force."""
    return Price.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=now), currency=currency, segment="", valid_from__lte=now
    )


def quote(
    *,
    demands: Sequence[Demand],
    currency: str,
    now: datetime,
    owner: str = "",
    code_ids: Sequence[int] = (),
    prices: Mapping[str, Money] | None = None,
    customer_key: str = "",
) -> PriceQuote:
    """Price a cart at `now` with the promotions and codes that apply: two queries, whatever the number of SKUs.

    `owner` is whose cart it is (`u:42`, `g:…`), `code_ids` are the codes entered in it. `prices` spares a query where
    the caller has the prices of this moment. `customer_key` is whose uses of codes and promotions are counted together,
    if it is not the owner's own.

    :raises ValueError: if a quantity is below 1.
    """
    sku_ids = {demand.sku_id for demand in demands}
    if prices is None:
        prices = current_prices(sku_ids=sku_ids, currency=currency, now=now, owner=owner)
    reductions, off = (
        list_reductions(
            sku_ids=sku_ids, currency=currency, owner=owner, code_ids=code_ids, now=now, customer_key=customer_key
        )
        if demands
        else ((), ())
    )
    return price_demands(demands=demands, prices=prices, currency=currency, reductions=reductions, codes_off=off)


def list_orders_of_codes(*, code_ids: Collection[int]) -> dict[int, str]:
    """Tell by which order each of these codes was last used; codes that no order used are absent (one query)."""
    used = Redemption.objects.filter(code_id__in=code_ids, released_at__isnull=True).exclude(order_number="")
    return dict(used.order_by("claimed_at", "id").values_list("code_id", "order_number"))


def list_order_deltas(*, order_numbers: Collection[str]) -> dict[tuple[str, str], OrderDelta]:
    """Look up what was written down of the lines of some orders, by order number and SKU (one query)."""
    found = PriceDelta.objects.filter(order_number__in=order_numbers)
    return {
        (row.order_number, row.sku_id): OrderDelta(
            row.added_minor, row.shown_minor, row.acknowledged_minor, row.charged_minor, tuple(row.reasons)
        )
        for row in found
    }


def has_promotions() -> bool:
    """Tell whether there is any promotion, running or not."""
    return Promotion.objects.exists()


def find_code(*, text: str, owner: str) -> int | None:
    """Find the id of a code as it was typed; None if there is none, or it is another customer's."""
    code = canonical_code(text)
    if not code:
        return None
    found = DiscountCode.objects.filter(code_hash=hash_token(code))
    return found.filter(Q(user_id=None) | Q(user_id=user_of(owner) or 0)).values_list("pk", flat=True).first()


def find_code_among(*, text: str, code_ids: Sequence[int]) -> int | None:
    """Find which of a cart's codes is meant: by the code itself, or as it is shown."""
    code = canonical_code(text)
    mine = DiscountCode.objects.filter(pk__in=code_ids)
    return mine.filter(Q(code_hash=hash_token(code)) | Q(label=text)).values_list("pk", flat=True).first()


def export_customer(*, user_id: int) -> dict[str, Any]:
    """Give what prices know of a customer who asks for their data, as JSON-able values: three queries.

    Segment, codes made for them (the beginning only, as kept), and prices that changed while they looked.
    """
    deltas = PriceDelta.objects.filter(owner=f"u:{user_id}").order_by("created_at", "id")
    return {
        "segment": CustomerSegment.objects.filter(user_id=user_id).values_list("segment", flat=True).first() or "",
        "codes": [
            {"code": code.label, "issued_at": code.created_at.isoformat(), "used": code.used}
            for code in DiscountCode.objects.filter(user_id=user_id).order_by("pk")
        ],
        "price_changes": [
            {
                "at": delta.updated_at.isoformat(),
                "sku_id": delta.sku_id,
                "currency": delta.currency,
                "quantity": delta.quantity,
                "added_minor": delta.added_minor,
                "shown_minor": delta.shown_minor,
                "acknowledged_minor": delta.acknowledged_minor,
                "charged_minor": delta.charged_minor,
                "order_number": delta.order_number,
            }
            for delta in deltas
        ],
    }
