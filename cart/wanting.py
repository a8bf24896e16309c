"""How much of a SKU shoppers want: what is in recorded carts and on saved lists, for staff."""

from __future__ import annotations

from dataclasses import dataclass

from shop.core.db import rows

# The expressions of the index `cart_by_sku`: carts are found before they are unfolded.
_WANTED = """
WITH held AS MATERIALIZED (
       SELECT (line->>'quantity')::int AS quantity
         FROM cart_cartrecord r CROSS JOIN LATERAL jsonb_array_elements(r.lines) AS line
        WHERE r.state = 'active' AND line->>'sku_id' = %(sku_id)s
          AND jsonb_path_query_array(r.lines, '$[*].sku_id') @> to_jsonb(ARRAY[%(sku_id)s::text]))
SELECT (SELECT count(*) FROM held), (SELECT coalesce(sum(quantity), 0) FROM held),
       (SELECT count(*) FROM cart_savedline
         WHERE skus @> to_jsonb(ARRAY[%(sku_id)s::text]) AND sku_id = %(sku_id)s)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many carts have a SKU, how many units that is, and how many saved lists have it."""

    carts: int
    units: int
    saved: int


def count_wanted(*, sku_id: str) -> Wanted:
    """Count active carts and saved lists with a SKU, as last recorded (one query)."""
    ((carts, units, saved),) = rows(_WANTED, {"sku_id": sku_id})
    return Wanted(int(carts), int(units), int(saved))
