"""Writing down what happens to prices between cart and charge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from pricing.reductions import user_of
from pricing.rules import delta_reasons
from pricing.types import PriceQuote
from shop.core.db import rows

Stage = Literal["shown", "acknowledged", "charged"]

# A price of the customer's own segment is told apart from a list price that changed. A line that cost the same all the
# way is written only if it has a row already: it had differed before.
_LOG = """
INSERT INTO pricing_pricedelta AS d
       (owner, cart_content_version, sku_id, checkout_id, order_number, currency, quantity, added_minor, shown_minor,
        acknowledged_minor, charged_minor, reasons)
SELECT %(owner)s, %(version)s, n.sku_id, %(checkout_id)s, %(order_number)s, %(currency)s, n.quantity, n.added,
       CASE WHEN 'shown' = ANY(%(stages)s) THEN n.to_pay END,
       CASE WHEN 'acknowledged' = ANY(%(stages)s) THEN n.to_pay END,
       CASE WHEN 'charged' = ANY(%(stages)s) THEN n.to_pay END,
       CASE WHEN EXISTS (SELECT FROM pricing_price p JOIN pricing_customersegment m ON m.segment = p.segment
                          WHERE m.user_id = %(user_id)s::bigint AND p.sku_id = n.sku_id AND p.currency = %(currency)s
                            AND p.valid_from <= now() AND (p.valid_until IS NULL OR p.valid_until > now()))
            THEN array_replace(string_to_array(n.reasons, ' '), 'price', 'segment')
            ELSE string_to_array(n.reasons, ' ') END
  FROM unnest(%(sku_ids)s::text[], %(quantities)s::int[], %(added)s::bigint[], %(to_pay)s::bigint[],
              %(reasons)s::text[]) AS n(sku_id, quantity, added, to_pay, reasons)
 WHERE n.reasons <> '' OR EXISTS (
       SELECT FROM pricing_pricedelta e WHERE e.owner = %(owner)s AND e.cart_content_version = %(version)s
                                          AND e.sku_id = n.sku_id)
 ORDER BY n.sku_id
    ON CONFLICT (owner, cart_content_version, sku_id) DO UPDATE
   SET quantity = excluded.quantity,
       checkout_id = coalesce(nullif(excluded.checkout_id, ''), d.checkout_id),
       order_number = coalesce(nullif(excluded.order_number, ''), d.order_number),
       added_minor = excluded.added_minor,
       shown_minor = coalesce(excluded.shown_minor, d.shown_minor),
       acknowledged_minor = coalesce(excluded.acknowledged_minor, d.acknowledged_minor),
       charged_minor = coalesce(excluded.charged_minor, d.charged_minor),
       reasons = CASE WHEN excluded.reasons = '{}' THEN d.reasons ELSE excluded.reasons END,
       updated_at = now()
RETURNING id
"""


def log_deltas(
    *,
    quote: PriceQuote,
    added: Mapping[str, int | None],
    stages: Collection[Stage],
    owner: str,
    cart_content_version: int,
    checkout_id: str = "",
    order_number: str = "",
    is_lock_over: bool = False,
    is_first: bool = False,
    elsewhere: Collection[str] = (),
) -> int:
    """Note at which stages the lines of a quote cost what they cost; tell how many lines were noted. One statement.

    `added` holds the unit prices at add in minor units. A line is noted if it costs something else than at adding, or
    was noted before. Lines of `elsewhere` (SKUs) were added in another currency: they are noted with the reason
    `currency`, and no price at add. With `is_first` nothing was noted before: then a quote without a difference costs
    no statement.
    """
    reasons = [
        delta_reasons(
            line,
            added.get(line.sku_id),
            quote,
            is_lock_over=is_lock_over,
            is_other_currency=line.sku_id in elsewhere,
        )
        for line in quote.lines
    ]
    if is_first and not any(reasons):
        return 0
    units = [added.get(line.sku_id) for line in quote.lines]
    pairs = zip(units, quote.lines, strict=True)
    params = {
        "owner": owner,
        "user_id": user_of(owner),
        "version": cart_content_version,
        "checkout_id": checkout_id,
        "order_number": order_number,
        "currency": quote.currency,
        "stages": list(stages),
        "sku_ids": [line.sku_id for line in quote.lines],
        "quantities": [line.quantity for line in quote.lines],
        "added": [None if unit is None else unit * line.quantity for unit, line in pairs],
        "to_pay": [line.to_pay.minor for line in quote.lines],
        "reasons": [" ".join(found) for found in reasons],
    }
    return len(rows(_LOG, params))
