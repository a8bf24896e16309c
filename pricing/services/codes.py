"""Codes that are issued, claimed by a payment, made final by an order, and released when there is none.

Locks: the row of each code, by ascending id, after checkout and payment and before any stock.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from pricing.errors import CodeTakenError, CodeUsedUpError
from pricing.models import DiscountCode
from pricing.rules import canonical_code
from pricing.types import IssuedCode
from shop.core.db import rows
from shop.core.ids import hash_token

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 16
_SHOWN = 4

_CLAIM = """
INSERT INTO pricing_redemption (code_id, checkout_id, owner, customer_key, order_number)
VALUES (%(code_id)s, %(checkout_id)s, %(owner)s, %(customer_key)s, '')
ON CONFLICT (code_id, checkout_id) WHERE released_at IS NULL DO NOTHING
RETURNING id
"""
# Waits for whoever has just claimed the same code; what is counted afterwards is therefore the truth.
_COUNT = """
UPDATE pricing_discountcode SET used = used + 1
 WHERE id = %(code_id)s AND revoked_at IS NULL AND (max_uses IS NULL OR used < max_uses)
RETURNING max_uses_each
"""
_MINE = """
SELECT count(*) FROM pricing_redemption
 WHERE code_id = %(code_id)s AND customer_key = %(customer_key)s AND released_at IS NULL
"""
_LABEL = "SELECT label FROM pricing_discountcode WHERE id = %(code_id)s"
_FINISH = """
UPDATE pricing_redemption SET order_number = %(order_number)s
 WHERE checkout_id = %(checkout_id)s AND code_id = ANY(%(code_ids)s) AND released_at IS NULL AND order_number = ''
RETURNING id
"""
# The codes are locked in their order before any is counted down, so that two releases never wait for each other.
_RELEASE = """
WITH mine AS MATERIALIZED (
  SELECT c.id FROM pricing_discountcode c
   WHERE c.id IN (SELECT code_id FROM pricing_redemption
                   WHERE checkout_id = %(checkout_id)s AND released_at IS NULL AND order_number = '')
   ORDER BY c.id FOR NO KEY UPDATE),
released AS (
  UPDATE pricing_redemption r SET released_at = now() FROM mine
   WHERE r.code_id = mine.id AND r.checkout_id = %(checkout_id)s AND r.released_at IS NULL AND r.order_number = ''
  RETURNING r.code_id)
UPDATE pricing_discountcode c SET used = used - 1 FROM released WHERE c.id = released.code_id
RETURNING c.id
"""

_REPAIR = """
WITH locked AS MATERIALIZED (
  SELECT id FROM pricing_discountcode WHERE id = %(code_id)s FOR NO KEY UPDATE)
UPDATE pricing_discountcode c
   SET used = (SELECT count(*) FROM pricing_redemption r WHERE r.code_id = c.id AND r.released_at IS NULL)
  FROM locked WHERE c.id = locked.id
RETURNING c.used
"""


def claim_codes(*, code_ids: Collection[int], checkout_id: str, owner: str, customer_key: str) -> None:
    """Claim one use of each code for a checkout, within the caller's transaction, which ends if one is refused.

    A code that this checkout has claimed already stays claimed once. `customer_key` is whose uses are counted together.

    :raises CodeUsedUpError: if a code has no use left, or this customer has none, or it was revoked.
    """
    for code_id in sorted(set(code_ids)):
        params = {"code_id": code_id, "checkout_id": checkout_id, "owner": owner, "customer_key": customer_key}
        if not rows(_CLAIM, params):
            continue
        counted = rows(_COUNT, params)
        if not counted or (counted[0][0] is not None and rows(_MINE, params)[0][0] > counted[0][0]):
            raise CodeUsedUpError(label=rows(_LABEL, params)[0][0])


def finish_claims(
    *, code_ids: Collection[int], checkout_id: str, owner: str, customer_key: str, order_number: str
) -> None:
    """Make the uses of a checkout's codes final, within its order's transaction; what was released is claimed anew.

    :raises CodeUsedUpError: if a code that had been released has no use left.
    """
    params = {"code_ids": list(code_ids), "checkout_id": checkout_id, "order_number": order_number}
    if not code_ids or len(rows(_FINISH, params)) == len(code_ids):
        return
    claim_codes(code_ids=code_ids, checkout_id=checkout_id, owner=owner, customer_key=customer_key)
    rows(_FINISH, params)


def release_claims(*, checkout_id: str) -> int:
    """Give back what a checkout claimed and did not order, within the caller's transaction; tell how many.

    Releasing twice is success.
    """
    return len(rows(_RELEASE, {"checkout_id": checkout_id}))


def repair_counter(*, code_id: int) -> int:
    """Set a code's counter to the number of its uses; give that number.

    :raises IntegrityError: if there are more uses than the code may have: then people have to look at it.
    """
    (counted,) = rows(_REPAIR, {"code_id": code_id})
    return int(counted[0])


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
    return DiscountCode.objects.filter(pk__in=code_ids, revoked_at=None).update(revoked_at=now)
