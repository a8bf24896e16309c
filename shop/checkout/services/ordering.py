"""A verified payment becomes an order: everything that an order is, in the caller's transaction, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError

from cart import services as carts
from inventory import services as inventory
from inventory.errors import InsufficientStockError, ReservationExpiredError, ReservationUnknownError
from pricing.errors import CodeUsedUpError, PromotionUsedUpError
from shop.checkout import models
from shop.checkout.errors import PaymentUnknownError
from shop.checkout.selectors import is_id
from shop.checkout.selectors.checkouts import LINES, QuotedLine, read_lines
from shop.checkout.services import rows
from shop.checkout.services.quoting import note_charged
from shop.checkout.types import CheckoutState, PaymentState
from shop.core.db import columns_of, instance_of, prepared
from shop.core.ids import new_id

# The checkout is locked before the payment: `p` cannot be looked at before `c` is there. What is read beside them is as
# old as the statement. The lines are right nevertheless where the quote's number is the payment's: both were there when
# the payment began. That nobody ordered meanwhile is decided by the constraints on orders.
_LOCK = f"""
WITH c AS MATERIALIZED (
       SELECT c.* FROM checkout_checkout c
        WHERE c.checkout_id = (SELECT p.checkout_id FROM checkout_payment p WHERE p.payment_id = %(payment_id)s)
          FOR NO KEY UPDATE),
     p AS MATERIALIZED (
       SELECT p.* FROM checkout_payment p
        WHERE p.payment_id = %(payment_id)s AND EXISTS (SELECT FROM c) FOR NO KEY UPDATE)
SELECT {columns_of(models.Checkout, "c")}, {columns_of(models.Payment, "p")}, {LINES},
       EXISTS (SELECT FROM checkout_order o
                WHERE o.owner = c.owner AND o.cart_content_version = c.cart_content_version)
  FROM c, p
"""  # noqa: S608 - put together from constants

_PLACE = """
WITH done AS (
       UPDATE checkout_checkout
          SET state = 'completed', end_cause = 'ordered', ended_at = %(now)s, updated_at = %(now)s,
              version = version + 1, reservation_id = %(reservation_id)s
        WHERE checkout_id = %(checkout_id)s RETURNING *),
     paid AS (
       UPDATE checkout_payment
          SET state = 'succeeded', reason = '', settled_at = coalesce(settled_at, %(now)s),
              provider_reference = %(reference)s, action_url = %(action_url)s, next_check_at = %(capture_at)s
        WHERE payment_id = %(payment_id)s),
     made AS (
       INSERT INTO checkout_order
              (number, checkout_id, payment_id, owner, user_id, cart_content_version, currency, subtotal_minor,
               total_minor, discounts, email, address, language, placed_at)
       SELECT %(number)s, checkout_id, %(payment_id)s, owner, user_id, cart_content_version, currency, subtotal_minor,
              total_minor, discounts, email, address, language, %(now)s
         FROM done RETURNING number)
INSERT INTO checkout_orderline
       (order_id, position, sku_id, title, quantity, unit_price_minor, discount_minor, image_url)
SELECT made.number, l.position, l.sku_id, l.title, l.quantity, l.unit_price_minor, l.discount_minor,
       coalesce(i.image_url, '')
  FROM made, checkout_checkoutline l
  LEFT JOIN unnest(%(sku_ids)s::text[], %(images)s::text[]) AS i (sku_id, image_url) ON i.sku_id = l.sku_id
 WHERE l.checkout_id = %(checkout_id)s
 ORDER BY l.position
RETURNING id
"""

_COLUMNS = len(models.Checkout._meta.concrete_fields)  # noqa: SLF001 - documented
_ONE_ORDER = ("one_order_a_cart_content", "checkout_order_checkout_id_key", "checkout_order_payment_id_key")
"""The constraints by which a cart content, a checkout and a payment have one order at most."""


class NotOrderedError(Exception):
    """Why a payment that succeeded makes no order: a stable code. The transaction has to be rolled back."""

    def __init__(self, reason: str) -> None:
        """Keep the code."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Locked:
    """A payment and, locked before it, its checkout, until the transaction ends."""

    checkout: models.Checkout
    payment: models.Payment
    lines: tuple[QuotedLine, ...]
    """Of the checkout's quote, where that is the payment's."""
    is_ordered: bool
    """The content of this cart was ordered before."""


def lock_payment(payment_id: str) -> Locked:
    """Lock a payment and, before it, its checkout, until the transaction ends (one statement).

    :raises PaymentUnknownError: if there is none of this id.
    """
    found = prepared(_LOCK, {"payment_id": payment_id}) if is_id(payment_id) else ()
    if not found:
        raise PaymentUnknownError
    *columns, lines, is_ordered = found[0]
    return Locked(
        checkout=instance_of(models.Checkout, columns[:_COLUMNS]),
        payment=instance_of(models.Payment, columns[_COLUMNS:]),
        lines=read_lines(lines),
        is_ordered=is_ordered,
    )


def place_order(locked: Locked, *, now: datetime, capture_at: datetime | None = None) -> str:
    """Write the order of a locked payment, the payment as succeeded and its checkout as completed; give its number.

    The cart's record is converted, the uses of codes and promotions are made final, the reservation hard: four
    statements, and what uses and changed prices cost. If the reservation is gone the units are reserved again.
    `capture_at` is when the money, which is only held, has to be taken.
    Locks: cart record → promotions → codes → reservation → stock rows by SKU.

    :raises NotOrderedError: if there can be no order; the caller's transaction, or savepoint, has to be rolled back.
    """
    refusal = _refusal(locked)
    if refusal:
        raise NotOrderedError(refusal)
    try:
        return _place(locked, now, capture_at)
    except InsufficientStockError as error:
        raise NotOrderedError("sold_out") from error
    except (PromotionUsedUpError, CodeUsedUpError) as error:
        raise NotOrderedError(error.code) from error
    except IntegrityError as error:  # another payment or checkout of the same cart content was quicker
        if not any(name in str(error) for name in _ONE_ORDER):
            raise
        raise NotOrderedError("ordered_already") from error


def _refusal(locked: Locked) -> str:
    checkout = locked.checkout
    if locked.is_ordered or checkout.state == CheckoutState.COMPLETED.value:
        return "ordered_already"
    if checkout.state == CheckoutState.CANCELLED.value:
        return "checkout_cancelled"
    if checkout.quote_number != locked.payment.quote_number:
        return "quote_replaced"
    return ""


def _place(locked: Locked, now: datetime, capture_at: datetime | None) -> str:
    checkout, payment, lines = locked.checkout, locked.payment, locked.lines
    number = new_id("ord")
    carts.convert_record(
        ref=rows.ref_of(checkout.owner),
        content_version=checkout.cart_content_version,
        lines=lines,
        order_number=number,
        currency=checkout.currency,
    )
    rows.finish_uses(checkout, order_number=number)
    note_charged(checkout, lines, order_number=number)
    try:
        inventory.commit(reservation_id=checkout.reservation_id)
    except (ReservationExpiredError, ReservationUnknownError):  # one that ended long ago is deleted
        rows.reserve(checkout, lines)
        inventory.commit(reservation_id=checkout.reservation_id)
    prepared(
        _PLACE,
        {
            "number": number,
            "checkout_id": checkout.checkout_id,
            "reservation_id": checkout.reservation_id,
            "payment_id": payment.payment_id,
            "reference": payment.provider_reference,
            "action_url": payment.action_url,
            "capture_at": capture_at,
            "now": now,
            "sku_ids": [line.sku_id for line in lines],
            "images": [line.card.image_url if line.card else "" for line in lines],
        },
    )
    payment.state, payment.reason = PaymentState.SUCCEEDED.value, ""
    return number
