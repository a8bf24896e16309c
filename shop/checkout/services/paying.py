"""Pay a checkout through the gateway: our row first, then the provider, then what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from cart import selectors as carts
from cart import services as cart_services
from pricing.errors import CodeUsedUpError, PromotionUsedUpError
from shop.checkout import models, selectors
from shop.checkout.conf import conf
from shop.checkout.errors import CheckoutUnknownError, PaymentInProgressError, PriceChangedError
from shop.checkout.gateways import gateway
from shop.checkout.models.payments import UNREACHED_REASON
from shop.checkout.selectors.checkouts import LINES, QuotedLine, read_lines
from shop.checkout.services import rows
from shop.checkout.services.agreeing import note_requoted, require_agreed, require_complete
from shop.checkout.services.keeping import follow_cart
from shop.checkout.services.outcomes import FREE
from shop.checkout.services.quoting import Offer, freeze, frozen_quote, requote
from shop.checkout.services.settling import charge, told
from shop.checkout.types import CheckoutState, PaymentView, Principal
from shop.core.db import columns_of, instance_of, prepared, retrying
from shop.core.errors import ErrorDetail, Refusal, RejectedError
from shop.core.ids import new_id

log = structlog.get_logger(__name__)

FIRST_CHECK_SECONDS = 10
"""When reconciliation first asks about a payment: the gateway's own time-outs (2 s + 5 s) are over by then."""

_TO_PAY = f"""
SELECT {LINES}, o.number, {columns_of(models.Checkout, "c")}, {columns_of(models.Payment, "p")}
  FROM checkout_checkout c
  LEFT JOIN LATERAL (
       SELECT p.* FROM checkout_payment p
        WHERE p.checkout_id = c.checkout_id
          AND (p.key = %(key)s AND NOT (p.state = 'failed' AND p.reason = '{UNREACHED_REASON}')
               OR (c.state = 'completed'
                   AND EXISTS (SELECT FROM checkout_order x WHERE x.payment_id = p.payment_id)))
        ORDER BY p.key <> %(key)s LIMIT 1) p ON true
  LEFT JOIN checkout_order o ON o.payment_id = p.payment_id
 WHERE c.checkout_id = %(checkout_id)s AND c.owner = %(owner)s
"""  # noqa: S608 - put together from constants

# One request pays: of many that meet here, one finds the checkout open.
_BEGIN = f"""
WITH moved AS (
       UPDATE checkout_checkout SET state = 'paying', version = version + 1, updated_at = %(now)s
        WHERE checkout_id = %(checkout_id)s AND state = 'open' AND quote_number = %(quote_number)s
       RETURNING *)
INSERT INTO checkout_payment AS p
       (payment_id, checkout_id, key, quote_number, state, amount_minor, currency, method, provider,
        provider_reference, reason, action_url, next_check_at, checks, created_at)
SELECT %(payment_id)s, checkout_id, %(key)s, quote_number, 'created', total_minor, currency,
       CASE WHEN total_minor = 0 THEN %(free)s ELSE %(method)s END,
       CASE WHEN total_minor = 0 THEN %(free)s ELSE %(provider)s END,
       '', '', '', %(check_at)s, 0, %(now)s
  FROM moved
RETURNING (SELECT email FROM moved), (SELECT reservation_id FROM moved), {columns_of(models.Payment, "p")}
"""  # noqa: S608 - put together from constants

_COLUMNS = len(models.Checkout._meta.concrete_fields)  # noqa: SLF001 - documented


@dataclass(frozen=True, slots=True)
class _ToPay:
    """A checkout that somebody wants to pay."""

    checkout: models.Checkout
    lines: tuple[QuotedLine, ...]
    known: PaymentView | None
    """The payment that this request began before, or the one that ordered this checkout."""


def pay(
    *,
    checkout_id: str,
    principal: Principal,
    method: str,
    provider_token: str,
    expected_total: int,
    key: str,
    now: datetime,
    expected_currency: str = "",
) -> PaymentView:
    """Pay a checkout: `expected_total` (minor units) is what the shopper saw on the button.

    `expected_currency` is what they saw it in; empty: the checkout's.

    One request pays: the state moves open → paying by one conditional update, and the payment's row is committed
    before the provider is asked. The same `key` leads to the same payment, unless that never reached the provider; a
    checkout that is already ordered answers with the payment that ordered it. A reservation that is over is made
    again, then pinned while the payment runs.

    If the cart was changed meanwhile: what was taken out leaves the checkout first (`give_back_removed`), and
    whatever then differs from the cart or from `expected_total` is refused with the quote of the present cart, so that
    nothing is charged unseen. When the price lock is over the lines are quoted anew: a fall is charged, a rise only if
    `expected_total` already names it.

    A time-out leaves the payment `processing`: webhook or reconciliation tell how it ended. Nothing is charged twice,
    since the payment's id is the provider's key. A total of 0 completes without the provider.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it is over.
    :raises CheckoutIncompleteError: if mail address or delivery address are missing.
    :raises PaymentInProgressError: if another payment of it is under way.
    :raises PriceChangedError: if `expected_total` is not the total, or a promotion has no use left.
    :raises LineUnavailableError: if a line is not sold any more.
    :raises CodeUsedUpError: if a discount code has no use left; the next try is shown the total without it.
    :raises InsufficientStockError: if the reservation was over and its units are sold.
    :raises PaymentDeclinedError: if the provider refused; the reservation is released, all else is kept.
    :raises GatewayUnavailableError: if the provider was not reached; the checkout is as it was.
    :raises RejectedError: if method or token are none that this shop takes.
    """
    begun = _read(checkout_id=checkout_id, principal=principal, key=key)
    if begun.known is not None:
        return told(begun.known)
    row = begun.checkout
    rows.require_open(row)
    if row.total_minor:
        _require_method(method, provider_token)
    if expected_currency not in ("", row.currency):
        raise PriceChangedError(frozen_quote(row), ())
    require_complete(row)
    cart = carts.get_current_cart(ref=rows.ref_of(row.owner))
    if follow_cart(row, cart, principal=principal, now=now):
        begun = _read(checkout_id=checkout_id, principal=principal, key=key)
        row = begun.checkout
        rows.require_open(row)
    try:
        fresh = require_agreed(row, begun.lines, cart, expected_total=expected_total, now=now)
    except PriceChangedError:
        # Another request may have paid since we read: then the cart is empty because it is ordered.
        begun = _read(checkout_id=checkout_id, principal=principal, key=key)
        if begun.known is not None:
            return told(begun.known)
        rows.require_open(begun.checkout)
        raise
    try:
        payment = _begin(begun, fresh, principal=principal, method=method, key=key, now=now)
    except CodeUsedUpError:
        _end_lock(row, now)
        raise
    except PromotionUsedUpError as error:
        _end_lock(row, now)
        dearer = requote(row, begun.lines, now=now)
        note_requoted(row, dearer)
        raise PriceChangedError(dearer.quote, dearer.changes) from error
    if isinstance(payment, PaymentView):
        return payment
    _lock_cart(row)
    return charge(payment, provider_token, owner=row.owner, now=now)


def _read(*, checkout_id: str, principal: Principal, key: str) -> _ToPay:
    """Read all that paying needs to know (one statement).

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    """
    asked = {"checkout_id": checkout_id, "owner": principal.owner, "key": key}
    found = prepared(_TO_PAY, asked) if selectors.is_id(checkout_id) else ()
    if not found:
        raise CheckoutUnknownError
    lines, number, *columns = found[0]
    checkout, payment = columns[:_COLUMNS], columns[_COLUMNS:]
    known = instance_of(models.Payment, payment) if payment[0] else None
    return _ToPay(
        checkout=instance_of(models.Checkout, checkout),
        lines=read_lines(lines),
        known=None if known is None else selectors.payment_view(known, order_number=number or ""),
    )


def _require_method(method: str, provider_token: str) -> None:
    if method != conf().gateway:
        raise RejectedError(errors=(ErrorDetail("/method", "out_of_choice", {"choices": conf().gateway}),))
    gateway(method).check_token(provider_token)


def _end_lock(row: models.Checkout, now: datetime) -> None:
    """Let a quote hold no more: whoever comes next, reload or payment, is shown the total without what is used up."""
    quoted = models.Checkout.objects.filter(pk=row.pk, state=CheckoutState.OPEN.value)
    quoted.filter(quote_number=row.quote_number, lock_expires_at__gt=now).update(lock_expires_at=now)


def _begin(
    begun: _ToPay, fresh: Offer | None, *, principal: Principal, method: str, key: str, now: datetime
) -> models.Payment | PaymentView:
    """Move the checkout to paying, reserve, pin, commit the payment's row; or give the payment that won the race."""
    row = begun.checkout

    @retrying
    def write() -> models.Payment | PaymentView:
        lines: Sequence[rows.Line] = begun.lines
        quote_number = row.quote_number
        if fresh is not None:
            quote_number = _freeze(row, fresh, principal=principal, now=now)
            lines = fresh.lines
        moved = prepared(
            _BEGIN,
            {
                "checkout_id": row.checkout_id,
                "quote_number": quote_number,
                "payment_id": new_id("pay"),
                "key": key,
                "free": FREE,
                "method": method,
                "provider": conf().gateway,
                "check_at": now + timedelta(seconds=FIRST_CHECK_SECONDS),
                "now": now,
            },
        )
        if not moved:
            seen = _read(checkout_id=row.checkout_id, principal=principal, key=key)
            if seen.known is not None:
                return told(seen.known)
            rows.require_open(seen.checkout)
            raise PaymentInProgressError(retry_after_seconds=1)
        row.email, row.reservation_id, *payment = moved[0]
        rows.claim_uses(row)
        if rows.pin(row, lines):
            models.Checkout.objects.filter(pk=row.pk).update(reservation_id=row.reservation_id)
        return instance_of(models.Payment, payment)

    return write()


def _freeze(row: models.Checkout, fresh: Offer, *, principal: Principal, now: datetime) -> int:
    """Write the new quote of a checkout whose price lock is over, unless somebody was quicker; give its number."""
    locked = rows.lock(checkout_id=row.checkout_id, principal=principal)
    if locked.state != CheckoutState.OPEN.value or locked.quote_number != row.quote_number:
        return row.quote_number
    freeze(locked, fresh, now=now)
    locked.save()
    row.discounts, row.reductions = locked.discounts, locked.reductions
    return locked.quote_number


def _lock_cart(row: models.Checkout) -> None:
    """Keep the cart from being changed while it is paid for; no payment waits for Redis or for another payment."""
    try:
        cart_services.lock_for_payment(
            ref=rows.ref_of(row.owner), checkout_id=row.checkout_id, seconds=conf().pin_seconds
        )
    except Refusal as error:
        log.warning("cart_not_locked", checkout=row.checkout_id, reason=error.code)
