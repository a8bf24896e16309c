"""The checkout under way, as much of it as a page beside it shows: one small query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inventory import selectors as inventory
from shop.checkout.types import CheckoutState, Principal
from shop.core.db import prepared

_LIVE = f"""
SELECT c.checkout_id, c.state, {inventory.KEPT_UNTIL}
  FROM checkout_checkout c
 WHERE c.owner = %(owner)s AND c.state IN ('open', 'paying')
 ORDER BY c.state DESC, c.created_at DESC LIMIT 1
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A checkout that is not over; `reserved_until` is None once its units are no longer kept."""

    checkout_id: str
    is_paying: bool
    reserved_until: datetime | None


def find_under_way(*, principal: Principal) -> UnderWay | None:
    """Find the checkout that this principal has under way: the one being paid first, else the open one."""
    found = prepared(_LIVE, {"owner": principal.owner})
    if not found:
        return None
    ((checkout_id, state, reserved_until),) = found
    return UnderWay(checkout_id, state == CheckoutState.PAYING.value, reserved_until)
