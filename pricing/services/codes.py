"""Codes that are issued, claimed by a payment, made final by an order, and released when there is none.

Locks: the row of each code, by ascending id, after checkout and payment and before any stock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from pricing.errors import CodeTakenError
from pricing.models import DiscountCode
from pricing.rules import canonical_code
from pricing.types import IssuedCode
from shop.core.db import rows
from shop.core.ids import hash_token

# The rows are locked in their order: whoever pays with several codes claims them in that order, too.
REVOKE = """
WITH locked AS MATERIALIZED (
       SELECT id FROM pricing_discountcode WHERE id = ANY(%(ids)s) AND revoked_at IS NULL
        ORDER BY id FOR NO KEY UPDATE)
UPDATE pricing_discountcode c SET revoked_at = %(now)s FROM locked
 WHERE c.id = locked.id AND c.revoked_at IS NULL
RETURNING c.id
"""

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 16
_SHOWN = 4


def publish_code(
    *,
    promotion_id: int,
    code: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    max_uses: int | None = None,
    max_uses_each: int | None = None,
) -> int:
    """Make a code that anybody may know and enter, and return its id.

    :raises CodeTakenError: if there is such a code already, or it cannot be one.
    """
    canonical = canonical_code(code)
    taken = DiscountCode.objects.filter(code_hash=hash_token(canonical))
    if not canonical or taken.exists():
        raise CodeTakenError
    row = DiscountCode.objects.create(
        promotion_id=promotion_id,
        code_hash=hash_token(canonical),
        label=canonical,
        valid_from=valid_from,
        valid_until=valid_until,
        max_uses=max_uses,
        max_uses_each=max_uses_each,
    )
    return row.pk


def issue_codes(
    *,
    promotion_id: int,
    count: int,
    valid_from: datetime,
    valid_until: datetime | None = None,
    user_id: int | None = None,
    max_uses: int | None = 1,
) -> tuple[IssuedCode, ...]:
    """Make codes of 16 random characters, bound to a customer if one is named; they are told here and never again.

    Kept are their hashes and first four characters.
    """
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(count)]
    made = DiscountCode.objects.bulk_create(
        DiscountCode(
            promotion_id=promotion_id,
            code_hash=hash_token(code),
            label=f"{code[:_SHOWN]}…",
            is_personal=True,
            user_id=user_id,
            valid_from=valid_from,
            valid_until=valid_until,
            max_uses=max_uses,
        )
        for code in codes
    )
    return tuple(IssuedCode(row.pk, code, row.label) for row, code in zip(made, codes, strict=True))


def revoke_codes(*, code_ids: Collection[int], now: datetime) -> int:
    """Let codes apply no more; tell how many still did. What was ordered with them stays."""
    return len(rows(REVOKE, {"ids": list(code_ids), "now": now}))
