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

_FIRST_ORDERS = """
SELECT w.id, o.number, o.placed_at, o.total_minor, o.currency
  FROM unnest(%(ids)s::bigint[], %(user_ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       AS w(id, user_id, start_at, end_at)
 CROSS JOIN LATERAL (SELECT number, placed_at, total_minor, currency FROM checkout_order
                      WHERE owner = 'u:' || w.user_id AND placed_at >= w.start_at AND placed_at < w.end_at
                      ORDER BY placed_at, number LIMIT 1) o
"""


@dataclass(frozen=True, slots=True)
class Window:
    """A customer and a time in which an order of theirs counts; `key` is the caller's."""

    key: int
    user_id: int
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class FirstOrder:
    """The first order in a window."""

    key: int
    number: str
    placed_at: datetime
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


def list_first_orders(*, windows: Sequence[Window]) -> tuple[FirstOrder, ...]:
    """Find the first order in each window that has one (one query)."""
    if not windows:
        return ()
    params = {
        "ids": [window.key for window in windows],
        "user_ids": [window.user_id for window in windows],
        "starts": [window.start_at for window in windows],
        "ends": [window.end_at for window in windows],
    }
    return tuple(FirstOrder(*row) for row in rows(_FIRST_ORDERS, params))


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
