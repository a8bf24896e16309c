"""Promotions and codes as the arithmetic wants them: what is in force for a cart, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pricing.types import CodeOff, Combining, Reduction, ReductionKind
from shop.catalog.selectors import ASKED_SKU_ROWS
from shop.core.db import array_text, prepared

# One row a promotion that runs of itself, and one a code of the cart, whatever its state: why a code takes nothing off
# is told. What this owner has claimed and not yet ordered counts as unused: it is theirs. The uses of a promotion are
# looked at only if it has a limit.
_IN_FORCE = f"""
WITH asked AS MATERIALIZED (
  SELECT s.sku_id::text, t.slug, t.category FROM {ASKED_SKU_ROWS}
)
SELECT p.id, p.name, p.kind, p.value, p.free, p.minimum_minor, p.combines,
       CASE WHEN p.sku_ids = '{{}}' AND p.products = '{{}}' AND p.categories = '{{}}' THEN %(sku_ids)s::text[]
            ELSE ARRAY(SELECT a.sku_id FROM asked a
                        WHERE a.sku_id = ANY(p.sku_ids) OR a.slug = ANY(p.products) OR a.category = ANY(p.categories))
       END,
       c.id, c.label,
       p.currency IN ('', %(currency)s) AND (p.segment = '' OR p.segment = mine.segment),
       CASE WHEN c.id IS NULL THEN ''
            WHEN c.user_id <> coalesce(%(user_id)s::bigint, 0) THEN 'code_unknown'
            WHEN c.revoked_at IS NOT NULL OR NOT p.is_active THEN 'code_expired'
            WHEN greatest(c.valid_from, p.valid_from) > %(now)s THEN 'code_not_yet'
            WHEN least(c.valid_until, p.valid_until) <= %(now)s THEN 'code_expired'
            WHEN c.used - held.claims >= c.max_uses OR held.ordered >= c.max_uses_each OR spent.is_used_up
            THEN 'code_used_up'
            ELSE '' END,
       p.max_uses IS NOT NULL OR p.max_uses_each IS NOT NULL
  FROM pricing_promotion p
  LEFT JOIN pricing_discountcode c ON c.promotion_id = p.id AND c.id = ANY(%(code_ids)s::bigint[])
  LEFT JOIN pricing_customersegment mine ON mine.user_id = %(user_id)s::bigint
  LEFT JOIN LATERAL (
       SELECT count(*) FILTER (WHERE r.owner = %(owner)s AND r.order_number = '') AS claims,
              count(*) FILTER (WHERE r.customer_key = %(customer_key)s AND r.order_number <> '') AS ordered
         FROM pricing_redemption r WHERE r.code_id = c.id AND r.released_at IS NULL
          AND (r.owner = %(owner)s OR r.customer_key = %(customer_key)s)) held ON true
  LEFT JOIN LATERAL (
       SELECT coalesce(p.used - count(*) FILTER (WHERE u.owner = %(owner)s AND u.order_number = '') >= p.max_uses
                       OR count(*) FILTER (WHERE u.customer_key = %(customer_key)s AND u.order_number <> '')
                          >= p.max_uses_each, false) AS is_used_up
         FROM pricing_promotionuse u
        WHERE (p.max_uses IS NOT NULL OR p.max_uses_each IS NOT NULL)
          AND u.promotion_id = p.id AND u.released_at IS NULL
          AND (u.owner = %(owner)s OR u.customer_key = %(customer_key)s)) spent ON true
 WHERE c.id IS NOT NULL
    OR (NOT p.needs_code AND p.is_active AND p.valid_from <= %(now)s
        AND (p.valid_until IS NULL OR p.valid_until > %(now)s) AND NOT spent.is_used_up)
 ORDER BY p.priority DESC, p.id, c.id
"""  # noqa: S608 - constants


def user_of(owner: str) -> int | None:
    """Tell the customer that an owner text such as `u:42` stands for, None for a guest or nobody."""
    kind, _, key = owner.partition(":")
    return int(key) if kind == "u" else None


def list_reductions(
    *,
    sku_ids: Collection[str],
    currency: str,
    owner: str,
    code_ids: Sequence[int],
    now: datetime,
    customer_key: str = "",
) -> tuple[tuple[Reduction, ...], tuple[CodeOff, ...]]:
    """List what may reduce the prices of these SKUs for this owner at `now`, and codes that cannot, with the reason.

    One statement. A code that does not exist (any more) is in neither. `customer_key` is whose uses are counted
    together, if it is not the owner's own.
    """
    params: dict[str, Any] = {
        "sku_ids": array_text(sorted(sku_ids)),
        "currency": currency,
        "owner": owner,
        "customer_key": customer_key or owner,
        "user_id": user_of(owner),
        "code_ids": list(code_ids),
        "now": now,
    }
    found: list[Reduction] = []
    off: list[CodeOff] = []
    for row in prepared(_IN_FORCE, params):
        promotion_id, name, kind, value, free, minimum, combines, covered, code_id, label, fits, refused, is_counted = (
            row
        )
        reason = refused or ("" if fits else "code_not_for_cart")
        if reason and code_id is not None:
            off.append(CodeOff(code_id, label, reason))
        elif not reason:
            found.append(
                Reduction(
                    promotion_id=promotion_id,
                    name=name,
                    kind=ReductionKind(kind),
                    value=value,
                    sku_ids=tuple(covered),
                    free=free,
                    minimum_minor=minimum,
                    combines=Combining(combines),
                    code_id=code_id,
                    label=label or "",
                    is_counted=is_counted,
                )
            )
    return tuple(found), tuple(off)
