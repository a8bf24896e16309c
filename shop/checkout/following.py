"""Reads for whoever follows up on carts: who has ordered since, what, and what they agreed to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from shop.checkout.models import Checkout, Order, OrderLine
from shop.checkout.types import CheckoutState
from shop.core.db import array_text, rows

FRESH = timedelta(hours=1)
"""An open checkout that nobody touched for longer is left behind like its cart."""

_BUYERS = """
SELECT w.user_id FROM unnest(%(user_ids)s::bigint[], %(sinces)s::timestamptz[]) AS w(user_id, since)
 CROSS JOIN LATERAL (SELECT 1 FROM checkout_order o
                      WHERE o.owner = 'u:' || w.user_id AND o.placed_at >= w.since LIMIT 1) o
"""

# As the index `order_placed` has it.
_PLACED = """
SELECT number, placed_at, owner, user_id, total_minor, currency FROM checkout_order
 WHERE (placed_at, number) > (%(since)s, %(after)s)
 ORDER BY placed_at, number LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order, as far as its followers need it."""

    number: str
    placed_at: datetime
    owner: str
    user_id: int | None
    total_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class BuyerProfile:
    """What a customer's checkouts and orders tell about them. Empty texts: nothing is known."""

    country: str = ""
    language: str = ""
    has_consented: bool = False
    """They ticked at a checkout that they want to be reminded."""


def list_buyers_since(*, pairs: Sequence[tuple[int, datetime]]) -> frozenset[int]:
    """Tell which customers, each with a time, have ordered since then (one query, whatever the number)."""
    if not pairs:
        return frozenset()
    params = {"user_ids": array_text([one for one, _ in pairs]), "sinces": array_text([since for _, since in pairs])}
    return frozenset(user_id for (user_id,) in rows(_BUYERS, params))


def list_placed(*, since: datetime, after: str, limit: int) -> tuple[PlacedOrder, ...]:
    """List orders later than a time and number, oldest first (one query on an index)."""
    return tuple(PlacedOrder(*row) for row in rows(_PLACED, {"since": since, "after": after, "limit": limit}))


def has_ordered_since(*, user_id: int, email: str, since: datetime) -> bool:
    """Tell whether somebody has ordered since then, signed in or as a guest with the same mail address."""
    return _orders_of(user_id, email).filter(placed_at__gte=since).exists()


def list_bought(*, user_id: int, email: str, sku_ids: Collection[str], since: datetime) -> dict[str, datetime]:
    """Tell when each of these SKUs was last ordered, signed in or as a guest, if it was since then."""
    bought = (
        OrderLine.objects.filter(order__in=_orders_of(user_id, email).filter(placed_at__gte=since), sku_id__in=sku_ids)
        .order_by("order__placed_at")
        .values_list("sku_id", "order__placed_at")
    )
    return dict(bought)


def has_live_checkout(*, user_id: int, now: datetime) -> bool:
    """Tell whether a customer is paying, or was busy with a checkout within the last hour."""
    mine = Checkout.objects.filter(user_id=user_id)
    return mine.filter(
        Q(state=CheckoutState.PAYING.value) | Q(state=CheckoutState.OPEN.value, updated_at__gte=now - FRESH)
    ).exists()


def profile_of(*, user_id: int) -> BuyerProfile:
    """Tell what a customer's last checkout says of country and language, and whether any asked for reminders."""
    mine = Checkout.objects.filter(user_id=user_id)
    last = mine.exclude(address={}).order_by("-created_at").values_list("address", "language").first()
    address, language = last or ({}, "")
    return BuyerProfile(
        country=str(address.get("country", "")),
        language=language,
        has_consented=mine.filter(consent_reminders=True).exists(),
    )


def _orders_of(user_id: int, email: str) -> QuerySet[Order]:
    owner = Q(owner=f"u:{user_id}")
    return Order.objects.filter(owner | Q(email__iexact=email) if email else owner)
