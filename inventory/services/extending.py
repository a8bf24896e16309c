"""Move the end of a live reservation: on the customer's wish, or while a payment runs."""

from __future__ import annotations

from inventory.conf import conf
from inventory.errors import RenewalLimitError, ReservationExpiredError, StockBusyError
from inventory.selectors import VIEW_COLUMNS, get_reservation, read_view
from inventory.types import ReservationState, ReservationView
from shop.core.db import failures_named, rows, statement

RENEW = f"""
UPDATE inventory_reservation r
   SET expires_at = r.expires_at + make_interval(secs => %(seconds)s), renewals = r.renewals + 1
 WHERE r.id = %(id)s AND r.state = 'soft' AND r.expires_at > clock_timestamp() AND r.renewals < %(limit)s
RETURNING {VIEW_COLUMNS}
"""  # noqa: S608 - put together from constants

PIN = f"""
WITH clock AS MATERIALIZED (SELECT clock_timestamp() + make_interval(secs => %(seconds)s) AS later)
UPDATE inventory_reservation r
   SET expires_at = CASE WHEN r.pinned_until > clock_timestamp() THEN r.expires_at
                         ELSE greatest(r.expires_at, clock.later) END,
       pinned_until = CASE WHEN r.pinned_until > clock_timestamp() THEN r.pinned_until
                           ELSE greatest(r.expires_at, clock.later) END
  FROM clock
 WHERE r.id = %(id)s AND r.state = 'soft' AND r.expires_at > clock_timestamp()
RETURNING {VIEW_COLUMNS}
"""  # noqa: S608 - put together from constants


def renew(*, reservation_id: str) -> ReservationView:
    """Let a live reservation end `INVENTORY_SOFT_TTL_SECONDS` later than it would, however early that is asked for.

    :raises RenewalLimitError: if it was renewed `INVENTORY_RENEWALS` times already.
    :raises ReservationExpiredError: if it is over or overdue.
    :raises ReservationUnknownError: if there is none.
    :raises StockBusyError: if others keep the row locked.
    """
    limit = conf().renewals
    with failures_named(StockBusyError):
        moved = statement(RENEW, {"id": reservation_id, "seconds": conf().soft_ttl_seconds, "limit": limit})
        if moved:
            return read_view(moved[0])
        view = get_reservation(reservation_id=reservation_id)
        if view.state is ReservationState.SOFT and view.renewals >= limit and _is_live(reservation_id):
            raise RenewalLimitError(limit)
    raise ReservationExpiredError


def pin(*, reservation_id: str, seconds: int) -> ReservationView:
    """Keep a live reservation for at least `seconds` from now while a payment runs.

    The end moves forward only, and once: while a pin lasts, another one changes nothing.

    :raises ReservationExpiredError: if it is over or overdue.
    :raises ReservationUnknownError: if there is none.
    :raises StockBusyError: if others keep the row locked.
    """
    with failures_named(StockBusyError):
        moved = statement(PIN, {"id": reservation_id, "seconds": seconds}, keeps_plan=True)
        if moved:
            return read_view(moved[0])
        get_reservation(reservation_id=reservation_id)
    raise ReservationExpiredError


def _is_live(reservation_id: str) -> bool:
    return bool(
        rows("SELECT FROM inventory_reservation WHERE id = %s AND expires_at > clock_timestamp()", [reservation_id])
    )
