"""Uses that are limited, of codes and of promotions: claimed by a payment, final with the order, or given back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from pricing.errors import CodeUsedUpError, PromotionUsedUpError
from shop.core.db import rows
from shop.core.errors import Refusal


class _Limited(NamedTuple):
    """What has limits: its table, that of its uses, how a use names it, its name for people, and what else it asks."""

    limited: str
    uses: str
    column: str
    label: str
    condition: str
    refusal: type[CodeUsedUpError | PromotionUsedUpError]

    def rows(self, sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement of this module about these tables."""
        names = {"limited": self.limited, "uses": self.uses, "column": self.column, "label": self.label}
        return rows(sql.format(**names, condition=self.condition), params)


_PROMOTIONS = _Limited(
    "pricing_promotion", "pricing_promotionuse", "promotion_id", "name", "", refusal=PromotionUsedUpError
)
_CODES = _Limited(
    *("pricing_discountcode", "pricing_redemption", "code_id", "label", "revoked_at IS NULL AND "),
    refusal=CodeUsedUpError,
)
_ALL = (_PROMOTIONS, _CODES)
"""In the order in which their rows are locked."""

_CLAIM = """
INSERT INTO {uses} ({column}, checkout_id, owner, customer_key, order_number)
VALUES (%(id)s, %(checkout_id)s, %(owner)s, %(customer_key)s, '')
ON CONFLICT ({column}, checkout_id) WHERE released_at IS NULL DO NOTHING
RETURNING id
"""
# Waits for whoever has just claimed the same one; what is counted afterwards is therefore the truth.
_COUNT = """
UPDATE {limited} SET used = used + 1
 WHERE id = %(id)s AND {condition}(max_uses IS NULL OR used < max_uses)
RETURNING max_uses_each
"""
_MINE = """
SELECT count(*) FROM {uses}
 WHERE {column} = %(id)s AND customer_key = %(customer_key)s AND released_at IS NULL
"""
_LABEL = "SELECT {label} FROM {limited} WHERE id = %(id)s"
_FINISH = """
UPDATE {uses} SET order_number = %(order_number)s
 WHERE checkout_id = %(checkout_id)s AND {column} = ANY(%(ids)s) AND released_at IS NULL AND order_number = ''
RETURNING id
"""
# The rows are locked in their order before any is counted down, so that two releases never wait for each other.
_RELEASE = """
WITH mine AS MATERIALIZED (
  SELECT c.id FROM {limited} c
   WHERE c.id IN (SELECT {column} FROM {uses}
                   WHERE checkout_id = %(checkout_id)s AND released_at IS NULL AND order_number = '')
   ORDER BY c.id FOR NO KEY UPDATE),
released AS (
  UPDATE {uses} r SET released_at = now() FROM mine
   WHERE r.{column} = mine.id AND r.checkout_id = %(checkout_id)s AND r.released_at IS NULL AND r.order_number = ''
  RETURNING r.{column} AS id)
UPDATE {limited} c SET used = used - 1 FROM released WHERE c.id = released.id
RETURNING c.id
"""
_REPAIR = """
WITH locked AS MATERIALIZED (
  SELECT id FROM {limited} WHERE id = %(id)s FOR NO KEY UPDATE)
UPDATE {limited} c
   SET used = (SELECT count(*) FROM {uses} r WHERE r.{column} = c.id AND r.released_at IS NULL)
  FROM locked WHERE c.id = locked.id
RETURNING c.used
"""


def claim_uses(
    *,
    checkout_id: str,
    owner: str,
    customer_key: str,
    code_ids: Collection[int] = (),
    promotion_ids: Collection[int] = (),
) -> None:
    """Claim one use of each code and promotion for a checkout, within the caller's transaction, all or none.

    What this checkout has claimed already stays claimed once. `customer_key` is whose uses are counted together.
    A refusal ends the caller's transaction.

    :raises PromotionUsedUpError: if a promotion has no use left, or this customer has none.
    :raises CodeUsedUpError: if a code has none, or was revoked.
    """
    common = {"checkout_id": checkout_id, "owner": owner, "customer_key": customer_key}
    for kind, ids in zip(_ALL, (promotion_ids, code_ids), strict=True):
        for one in sorted(set(ids)):
            params = {**common, "id": one}
            if not kind.rows(_CLAIM, params):
                continue
            counted = kind.rows(_COUNT, params)
            if not counted or (counted[0][0] is not None and kind.rows(_MINE, params)[0][0] > counted[0][0]):
                refusal: Refusal = kind.refusal(label=kind.rows(_LABEL, params)[0][0])
                raise refusal


def finish_claims(
    *,
    checkout_id: str,
    owner: str,
    customer_key: str,
    order_number: str,
    code_ids: Collection[int] = (),
    promotion_ids: Collection[int] = (),
) -> None:
    """Make the uses of a checkout final, within its order's transaction; what was released is claimed anew.

    :raises PromotionUsedUpError, CodeUsedUpError: if one that had been released has no use left.
    """
    params = {"checkout_id": checkout_id, "order_number": order_number}
    pairs = [(kind, list(ids)) for kind, ids in zip(_ALL, (promotion_ids, code_ids), strict=True) if ids]
    if all(len(kind.rows(_FINISH, {**params, "ids": ids})) == len(ids) for kind, ids in pairs):
        return
    claim_uses(
        checkout_id=checkout_id,
        owner=owner,
        customer_key=customer_key,
        code_ids=code_ids,
        promotion_ids=promotion_ids,
    )
    for kind, ids in pairs:
        kind.rows(_FINISH, {**params, "ids": ids})


def release_claims(*, checkout_id: str) -> int:
    """Give back what a checkout claimed and did not order, within the caller's transaction; tell how many.

    Releasing twice is success.
    """
    return sum(len(kind.rows(_RELEASE, {"checkout_id": checkout_id})) for kind in _ALL)


def repair_counter(*, code_id: int | None = None, promotion_id: int | None = None) -> int:
    """Set the counter of a code or of a promotion to the number of its uses; give that number.

    :raises IntegrityError: if there are more uses than there may be: then people have to look at it.
    """
    kind, one = (_PROMOTIONS, promotion_id) if code_id is None else (_CODES, code_id)
    (counted,) = kind.rows(_REPAIR, {"id": one})
    return int(counted[0])
