"""The checkout under way, as much of it as a page beside it shows: two small queries, one where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inventory import selectors as inventory
from inventory.errors import ReservationUnknownError
from inventory.types import ReservationState
from shop.checkout.types import CheckoutState, Principal
from shop.core.db import prepared

_LIVE = """
SELECT checkout_id, state, reservation_id FROM checkout_checkout
 WHERE owner = %(owner)s AND state IN ('open', 'paying')
 ORDER BY state DESC, created_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A checkout that is not over; `reserved_until` is None once its units are no longer kept."""

    checkout_id: str
    is_paying: bool
    reserved_until: datetime | None


def find_under_way(*, principal: Principal, now: datetime) -> UnderWay | None:
    """Find the checkout that this principal has under way: the one being paid first, else the open one."""
    found = prepared(_LIVE, {"owner": principal.owner})
    if not found:
        return None
    ((checkout_id, state, reservation_id),) = found
    return UnderWay(checkout_id, state == CheckoutState.PAYING.value, _reserved_until(reservation_id, now))


def _reserved_until(reservation_id: str, now: datetime) -> datetime | None:
    if not reservation_id:
        return None
    try:
        reservation = inventory.get_reservation(reservation_id=reservation_id)
    except ReservationUnknownError:
        return None
    is_kept = reservation.state is ReservationState.SOFT and reservation.expires_at > now
    return reservation.expires_at if is_kept else None
