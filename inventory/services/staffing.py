"""What staff may do to reservations and counts, beyond an adjustment."""

from __future__ import annotations

from inventory.errors import ReservationExpiredError, ReservationPinnedError, StockBusyError, StockUnknownError
from inventory.models import StockItem
from inventory.selectors import VIEW_COLUMNS, get_reservation, read_view
from inventory.services.adjusting import adjust
from inventory.services.ending import GIVE_BACK
from inventory.types import STAFF, ReleaseReason, ReservationState, ReservationView, StockReason
from shop.core.db import failures_named, statement

RELEASE = f"""
WITH due AS MATERIALIZED (
       SELECT r.id FROM inventory_reservation r
        WHERE r.id = %(id)s AND r.state = 'soft'
          AND (%(may_force)s OR coalesce(r.pinned_until, '-infinity') <= clock_timestamp()) FOR UPDATE),
{GIVE_BACK}
"""  # noqa: S608 - put together from constants

EXTEND = f"""
UPDATE inventory_reservation r
   SET expires_at = r.expires_at + interval '10 minutes',
       pinned_until = CASE WHEN r.pinned_until > clock_timestamp() THEN r.pinned_until + interval '10 minutes'
                           ELSE r.pinned_until END
 WHERE r.id = %(id)s AND r.state = 'soft' AND r.expires_at > clock_timestamp()
RETURNING {VIEW_COLUMNS}
"""  # noqa: S608 - put together from constants


def release_by_staff(*, reservation_id: str, reason: ReleaseReason, may_force: bool) -> ReservationView:
    """End a reservation for a reason that the shopper reads; its units are available at once. Gives it as it was.

    :raises ReservationPinnedError: if a payment runs for it, unless `may_force`.
    :raises ReservationExpiredError: if it is over already.
    :raises ReservationUnknownError: if there is none.
    :raises StockBusyError: if others keep the rows locked.
    """
    with failures_named(StockBusyError):
        before = get_reservation(reservation_id=reservation_id)
        params = {"id": reservation_id, "state": ReservationState.RELEASED.value, "cause": f"{STAFF}{reason.value}"}
        ((count,),) = statement(RELEASE, {**params, "may_force": may_force})
        if count:
            return before
        if get_reservation(reservation_id=reservation_id).state is ReservationState.SOFT:
            raise ReservationPinnedError
    raise ReservationExpiredError


def add_time(*, reservation_id: str) -> ReservationView:
    """Let a live reservation end ten minutes later, and its pin too while a payment runs.

    The shopper's own renewals are neither asked for nor used up.

    :raises ReservationExpiredError: if it is over or overdue.
    :raises ReservationUnknownError: if there is none.
    :raises StockBusyError: if others keep the row locked.
    """
    with failures_named(StockBusyError):
        moved = statement(EXTEND, {"id": reservation_id})
        if moved:
            return read_view(moved[0])
        get_reservation(reservation_id=reservation_id)
    raise ReservationExpiredError


def recount(
    *,
    sku_id: str,
    counted: int,
    unshipped: int,
    on_hand_then: int,
    by: int | None,
    note: str = "",
    reference: str = "",
    location: str = "",
) -> int:
    """Book what a count of the shelf found; give what is on hand then.

    `counted` units are on the shelf, of which `unshipped` are sold and wait to be sent: those are off “on hand”
    already. The difference to `on_hand_then`, what was on hand when the count began, is one line in the ledger: what
    was sold since then stays sold. A count that agrees writes nothing. With a `location`, by its code, all of it is
    about that one.

    :raises StockUnknownError: if the SKU has no stock item.
    :raises StockBelowReservedError: if fewer units would be left than are reserved.
    :raises AdjustmentInvalidError: if the numbers are too large or the note too long.
    :raises StockBusyError: if others keep the row locked.
    """
    delta = counted - unshipped - on_hand_then
    if delta:
        return adjust(
            sku_id=sku_id,
            delta=delta,
            reason=StockReason.RECOUNT,
            by=by,
            note=note,
            reference=reference,
            location=location,
        )
    on_hand = StockItem.objects.filter(pk=sku_id).values_list("on_hand", flat=True).first()
    if on_hand is None:
        raise StockUnknownError
    return on_hand
