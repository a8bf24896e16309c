"""Reads for whoever follows up on carts: who has ordered since, what, and what they agreed to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shop.checkout.types import CheckoutState
from shop.core.db import array_text, prepared, rows

FRESH = timedelta(hours=1)
"""An open checkout that nobody touched for longer is left behind like its cart."""

_BUYERS = """
SELECT w.user_id FROM unnest(%(user_ids)s::bigint[], %(sinces)b::timestamptz[]) AS w(user_id, since)
 CROSS JOIN LATERAL (SELECT 1 FROM checkout_order o
                      WHERE o.owner = 'u:' || w.user_id AND o.placed_at >= w.since LIMIT 1) o
"""

# As the index `order_placed` has it.
_PLACED = """
SELECT number, placed_at, owner, user_id, total_minor, currency,
       (SELECT coalesce(sum((d ->> 'amount')::bigint), 0)::bigint FROM jsonb_array_elements(discounts) d
         WHERE d ->> 'code_id' IS NOT NULL)
  FROM checkout_order
 WHERE (placed_at, number) > (%(since)s, %(after)s)
 ORDER BY placed_at, number LIMIT %(limit)s
"""


# As the index `payment_refunded` has it. An order has the payment that paid it.
_REFUNDED = """
SELECT p.payment_id, p.settled_at, o.number, o.user_id
  FROM checkout_payment p JOIN checkout_order o ON o.payment_id = p.payment_id
 WHERE p.state IN ('refund_due', 'refunded') AND (p.settled_at, p.payment_id) > (%(since)s, %(after)s)
 ORDER BY p.settled_at, p.payment_id LIMIT %(limit)s
"""

# Both halves by their index. The email is compared as the index `order_by_mail` has it.
_DOINGS = """
WITH mine AS MATERIALIZED (
       SELECT number, placed_at FROM checkout_order WHERE owner = %(owner)s AND placed_at >= %(begin)s
        UNION
       SELECT number, placed_at FROM checkout_order
        WHERE %(email)s <> '' AND upper(email) = upper(%(email)s) AND placed_at >= %(begin)s)
SELECT NULL, (SELECT max(placed_at) FROM mine),
       EXISTS (SELECT 1 FROM checkout_checkout c
                WHERE c.user_id = %(user_id)s AND c.state = ANY(%(states)s)
                  AND (c.state = %(paying)s OR c.updated_at >= %(fresh)s))
 UNION ALL
SELECT l.sku_id, max(m.placed_at), false FROM mine m JOIN checkout_orderline l ON l.order_id = m.number
 WHERE l.sku_id = ANY(%(sku_ids)s) GROUP BY 1
"""

_PROFILES = """
SELECT u.id, coalesce(l.address ->> 'country', ''), coalesce(l.language, ''),
       EXISTS (SELECT 1 FROM checkout_checkout c WHERE c.user_id = u.id AND c.consent_reminders)
  FROM unnest(%(user_ids)s::bigint[]) AS u(id)
  LEFT JOIN LATERAL (SELECT c.address, c.language FROM checkout_checkout c
                      WHERE c.user_id = u.id AND c.address <> '{}'
                      ORDER BY c.created_at DESC LIMIT 1) l ON true
"""


@dataclass(frozen=True, slots=True)
class Doings:
    """What somebody has done since a cart was left."""

    has_ordered: bool
    has_live_checkout: bool
    """They are paying, or were busy with a checkout within the last hour."""
    bought: frozenset[str]
    """SKUs ordered since they were put into the cart."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order, as far as its followers need it."""

    number: str
    placed_at: datetime
    owner: str
    user_id: int | None
    total_minor: int
    currency: str
    code_minor: int
    """What discount codes took off; `total_minor` is without it."""


@dataclass(frozen=True, slots=True)
class RefundedOrder:
    """An order whose money was given back."""

    payment_id: str
    settled_at: datetime
    number: str
    user_id: int | None


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
    params = {"user_ids": array_text([one for one, _ in pairs]), "sinces": [since for _, since in pairs]}
    return frozenset(user_id for (user_id,) in prepared(_BUYERS, params))


def list_placed(*, since: datetime, after: str, limit: int) -> tuple[PlacedOrder, ...]:
    """List orders later than a time and number, oldest first (one query on an index)."""
    return tuple(PlacedOrder(*row) for row in rows(_PLACED, {"since": since, "after": after, "limit": limit}))


def list_refunded(*, since: datetime, after: str, limit: int) -> tuple[RefundedOrder, ...]:
    """List orders whose payment is given back, which is always all of it: later than a time and payment, oldest first.

    One query on an index.
    """
    params = {"since": since, "after": after, "limit": limit}
    return tuple(RefundedOrder(*row) for row in rows(_REFUNDED, params))


def find_doings(*, user_id: int, email: str, since: datetime, lines: Mapping[str, datetime], now: datetime) -> Doings:
    """Tell what somebody has done since then, signed in or as a guest with the same mail address (one query).

    `lines`: SKUs and since when each is in the cart.
    """
    params = {
        "user_id": user_id,
        "owner": f"u:{user_id}",
        "email": email,
        "since": since,
        "begin": min([since, *lines.values()]),
        "sku_ids": list(lines),
        "states": [CheckoutState.PAYING.value, CheckoutState.OPEN.value],
        "paying": CheckoutState.PAYING.value,
        "fresh": now - FRESH,
    }
    found = rows(_DOINGS, params)
    ordered, is_checking_out = next((row[1], row[2]) for row in found if row[0] is None)
    bought = {sku_id: at for sku_id, at, _ in found if sku_id is not None}
    return Doings(
        has_ordered=ordered is not None and ordered >= since,
        has_live_checkout=is_checking_out,
        bought=frozenset(sku_id for sku_id, at in bought.items() if at >= lines[sku_id]),
    )


def list_profiles(*, user_ids: Collection[int]) -> dict[int, BuyerProfile]:
    """Tell what customers' last checkouts say of country and language, and whether any asked for reminders (one query).

    Each id is in the answer.
    """
    found = rows(_PROFILES, {"user_ids": array_text(user_ids)}) if user_ids else ()
    return {
        user_id: BuyerProfile(country=country, language=language, has_consented=consented)
        for user_id, country, language, consented in found
    }


def profile_of(*, user_id: int) -> BuyerProfile:
    """Tell of one customer what `list_profiles` tells."""
    return list_profiles(user_ids=[user_id])[user_id]
