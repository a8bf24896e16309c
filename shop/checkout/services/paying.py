"""Pay a checkout through the gateway: our row first, then the provider, then what it said."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urljoin

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from cart import selectors as carts
from cart import services as cart_services
from inventory import services as inventory
from pricing.errors import CodeUsedUpError, PromotionUsedUpError
from shop.checkout import access, models, selectors
from shop.checkout.conf import conf
from shop.checkout.errors import (
    CheckoutIncompleteError,
    GatewayUnavailableError,
    PaymentDeclinedError,
    PaymentInProgressError,
    PaymentUnknownError,
    PriceChangedError,
)
from shop.checkout.gateways import gateway
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Charge, GatewayDownError, GatewayTimeoutError, Outcome
from shop.checkout.services import rows
from shop.checkout.services.clearing import unlock_cart
from shop.checkout.services.keeping import give_back_removed
from shop.checkout.services.outcomes import FREE, apply_outcome, free_outcome, lock_payment, reopen
from shop.checkout.services.quoting import Offer, freeze, frozen_quote, note_shown, offer, requote, shown_in_checkout
from shop.checkout.types import CheckoutState, PaymentState, PaymentView, Principal
from shop.core.db import retrying
from shop.core.errors import ErrorDetail, Refusal, RejectedError, UnavailableError
from shop.core.ids import new_id
from shop.core.money import Money

log = structlog.get_logger(__name__)

FIRST_CHECK_SECONDS = 10
"""When reconciliation first asks about a payment: the gateway's own time-outs (2 s + 5 s) are over by then."""


def pay(
    *,
    checkout_id: str,
    principal: Principal,
    method: str,
    provider_token: str,
    expected_total: int,
    key: str,
    now: datetime,
) -> PaymentView:
    """Pay a checkout: `expected_total` (minor units) is what the shopper saw on the button.

    One request pays: the state moves open → paying by one conditional update, and the payment's row is committed
    before the provider is asked. The same `key` leads to the same payment; a checkout that is already ordered answers
    with the payment that ordered it. A reservation that is over is made again, then pinned while the payment runs.

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
    row = rows.read(checkout_id=checkout_id, principal=principal)
    known = _known_payment(row, key)
    if known is not None:
        return _told(known)
    rows.require_open(row)
    if row.total_minor:
        _require_method(method, provider_token)
    _require_complete(row)
    fresh = _require_agreed(row, principal=principal, expected_total=expected_total, now=now)
    try:
        payment = _begin(row, fresh, method=method, key=key, expected_total=expected_total, now=now)
    except CodeUsedUpError:
        _end_lock(row, now)
        raise
    except PromotionUsedUpError as error:
        _end_lock(row, now)
        dearer = requote(row, now=now)
        _note_shown(row, dearer)
        raise PriceChangedError(dearer.quote, dearer.changes) from error
    if isinstance(payment, PaymentView):
        return payment
    _lock_cart(row)
    outcome = _ask(payment, provider_token, owner=row.owner, now=now)
    if outcome is None:
        return selectors.payment_view(_reload(payment.payment_id))
    return _settle(payment.payment_id, outcome, now)


def finish_action(
    *, checkout_id: str, payment_id: str, principal: Principal, approve: bool, now: datetime
) -> PaymentView:
    """Play the customer at the offline bank's page: approve or refuse a payment that waits for it.

    :raises PaymentUnknownError: if there is no such payment of the offline gateway, or it is another's.
    :raises PaymentDeclinedError: if it was refused, or had failed before.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    provider = gateway(row.provider) if row.provider != FREE else None
    if not isinstance(provider, FakeGateway):
        raise PaymentUnknownError
    return _settle(payment_id, provider.decide(key=payment_id, approve=approve), now)


def check_payment(*, checkout_id: str, payment_id: str, principal: Principal, now: datetime) -> PaymentView:
    """Ask the provider how a payment stands (“Check again”), and apply the answer; unanswered, it stays as it is.

    :raises PaymentUnknownError: if there is no such payment, or it is another's.
    :raises PaymentDeclinedError: if it failed.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    if row.state not in models.payments.RUNNING:
        return _told(row)
    if row.provider == FREE:
        return _settle(payment_id, free_outcome(row), now)
    try:
        outcome = gateway(row.provider).find(key=payment_id, reference=row.provider_reference, since=row.created_at)
    except (GatewayDownError, GatewayTimeoutError):
        outcome = None
    return _settle(payment_id, outcome, now) if outcome else selectors.payment_view(row)


def give_up_payment(*, checkout_id: str, payment_id: str, principal: Principal, now: datetime) -> PaymentView:
    """End a payment that waits for its payer, at the provider first, so that another way of paying can be chosen.

    One that is decided by now stays as it is; unanswered, it goes on waiting.

    :raises PaymentUnknownError: if there is no such payment, or it is another's.
    :raises PaymentDeclinedError: if it is ended, or failed before.
    :raises GatewayUnavailableError: if the provider did not answer: the payment may still succeed.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    if row.state != PaymentState.REQUIRES_ACTION.value:
        return _told(row)
    try:
        outcome = gateway(row.provider).cancel(key=payment_id, reference=row.provider_reference, since=row.created_at)
    except (GatewayDownError, GatewayTimeoutError) as error:
        raise GatewayUnavailableError(retry_after_seconds=10) from error
    return _settle(payment_id, outcome, now) if outcome else selectors.payment_view(row)


def _payment(*, checkout_id: str, payment_id: str, principal: Principal) -> models.Payment:
    selectors.get_payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    return _reload(payment_id)


def _reload(payment_id: str) -> models.Payment:
    return models.Payment.objects.select_related("order").get(pk=payment_id)


def _known_payment(row: models.Checkout, key: str) -> models.Payment | None:
    """Find the payment that this request began before, or the one that ordered this checkout."""
    mine = models.Payment.objects.filter(checkout=row).select_related("order")
    known = mine.filter(key=key).first()
    if known is None and row.state == CheckoutState.COMPLETED.value:
        known = mine.filter(order__isnull=False).first()
    return known


def _told(row: models.Payment) -> PaymentView:
    if row.state == PaymentState.FAILED.value:
        raise PaymentDeclinedError(row.reason, row.payment_id)
    return selectors.payment_view(row)


def _require_method(method: str, provider_token: str) -> None:
    if method != conf().gateway:
        raise RejectedError(errors=(ErrorDetail("/method", "out_of_choice", {"choices": conf().gateway}),))
    gateway(method).check_token(provider_token)


def _require_complete(row: models.Checkout) -> None:
    missing = (("/email", "email_missing", not row.email), ("/shipping_address", "address_missing", not row.address))
    errors = tuple(ErrorDetail(pointer, code) for pointer, code, is_missing in missing if is_missing)
    if errors:
        raise CheckoutIncompleteError(errors=errors)


def _require_agreed(row: models.Checkout, *, principal: Principal, expected_total: int, now: datetime) -> Offer | None:
    """Make sure that the shopper saw what is about to be charged; give the new quote if the price lock is over.

    :raises PriceChangedError: if the cart holds other lines, or the total is another.
    """
    if give_back_removed(checkout_id=row.checkout_id, principal=principal, now=now):
        row.refresh_from_db()
        rows.require_open(row)
    cart = carts.get_cart(ref=rows.ref_of(row.owner))
    if not cart.is_copy and cart.content_version != row.cart_content_version:
        wanted = {line.sku_id: line.quantity for line in cart.lines}
        if wanted != {line.sku_id: line.quantity for line in row.lines.all()}:
            shown = {line.sku_id: line.price_at_add for line in cart.lines} | shown_in_checkout(row)
            present = offer(
                wanted=cart.lines,
                currency=cart.currency,
                shown=shown,
                owner=row.owner,
                code_ids=cart.codes,
                now=now,
                customer_key=rows.customer_key(row.owner, row.email),
            )
            note_shown(present, owner=row.owner, cart_content_version=cart.content_version, checkout_id=row.checkout_id)
            raise PriceChangedError(present.quote, present.changes)
    fresh = requote(row, now=now) if row.lock_expires_at <= now else None
    if fresh is None:
        if expected_total != row.total_minor:
            raise PriceChangedError(frozen_quote(row), ())
        return None
    total = fresh.quote.total.minor
    has_fallen = total < row.total_minor == expected_total
    if total != expected_total and not has_fallen:
        _note_shown(row, fresh)
        raise PriceChangedError(fresh.quote, fresh.changes)
    return fresh


def _note_shown(row: models.Checkout, fresh: Offer) -> None:
    note_shown(
        fresh,
        owner=row.owner,
        cart_content_version=row.cart_content_version,
        checkout_id=row.checkout_id,
        is_lock_over=True,
    )


def _end_lock(row: models.Checkout, now: datetime) -> None:
    """Let a quote hold no more: whoever comes next, reload or payment, is shown the total without what is used up."""
    quoted = models.Checkout.objects.filter(pk=row.pk, state=CheckoutState.OPEN.value)
    quoted.filter(quote_number=row.quote_number, lock_expires_at__gt=now).update(lock_expires_at=now)


def _begin(
    row: models.Checkout, fresh: Offer | None, *, method: str, key: str, expected_total: int, now: datetime
) -> models.Payment | PaymentView:
    """Move the checkout to paying, reserve, pin, commit the payment's row; or give the payment that won the race."""

    @retrying
    def write() -> models.Payment | PaymentView:
        moved = models.Checkout.objects.filter(
            pk=row.pk, state=CheckoutState.OPEN.value, quote_number=row.quote_number
        ).update(state=CheckoutState.PAYING.value, updated_at=now)
        locked = models.Checkout.objects.get(pk=row.pk)
        if not moved:
            known = _known_payment(locked, key)
            if known is not None:
                return _told(known)
            rows.require_open(locked)
            raise PaymentInProgressError(retry_after_seconds=1)
        if fresh is not None:
            freeze(locked, fresh, now=now)
        rows.claim_uses(locked)
        rows.reserve(locked)
        inventory.pin(reservation_id=locked.reservation_id, seconds=conf().pin_seconds)
        rows.touch(locked, now=now)
        is_free = locked.total_minor == 0
        return models.Payment.objects.create(
            payment_id=new_id("pay"),
            checkout=locked,
            key=key,
            quote_number=locked.quote_number,
            amount_minor=locked.total_minor,
            currency=locked.currency,
            method=FREE if is_free else method,
            provider=FREE if is_free else conf().gateway,
            next_check_at=now + timedelta(seconds=FIRST_CHECK_SECONDS),
            created_at=now,
        )

    return write()


def _lock_cart(row: models.Checkout) -> None:
    """Keep the cart from being changed while it is paid for; no payment waits for Redis or for another payment."""
    try:
        cart_services.lock_for_payment(
            ref=rows.ref_of(row.owner), checkout_id=row.checkout_id, seconds=conf().pin_seconds
        )
    except Refusal as error:
        log.warning("cart_not_locked", checkout=row.checkout_id, reason=error.code)


def _ask(payment: models.Payment, provider_token: str, *, owner: str, now: datetime) -> Outcome | None:
    """Charge outside any transaction. None: no answer in time, the payment is processing.

    :raises GatewayUnavailableError: if the provider was not reached.
    """
    if payment.provider == FREE:
        return free_outcome(payment)
    charge = Charge(
        key=payment.payment_id,
        checkout_id=payment.checkout_id,
        amount=Money(payment.amount_minor, payment.currency),
        token=provider_token,
        title=_("Your order"),
        return_url=urljoin(settings.BASE_URL, access.payer_path(payment_id=payment.payment_id)),
    )
    try:
        return gateway(payment.provider).charge(charge)
    except GatewayTimeoutError:
        waiting = models.Payment.objects.filter(pk=payment.pk, state=PaymentState.CREATED.value)
        waiting.update(state=PaymentState.PROCESSING.value)
        return None
    except GatewayDownError as error:
        _take_back(payment.payment_id, now)
        unlock_cart(owner, checkout_id=payment.checkout_id)
        raise GatewayUnavailableError(retry_after_seconds=10) from error


@retrying
def _take_back(payment_id: str, now: datetime) -> None:
    """Open the checkout again after a payment that never reached the provider; its reservation stays."""
    checkout, row = lock_payment(payment_id)
    if row.state != PaymentState.CREATED.value:
        return
    row.state, row.reason = PaymentState.FAILED.value, "gateway_unavailable"
    row.next_check_at, row.settled_at = None, now
    row.save()
    reopen(checkout, row, release_cause="", now=now)


def _settle(payment_id: str, outcome: Outcome, now: datetime) -> PaymentView:
    """Apply what the provider said and tell the payer.

    :raises PaymentDeclinedError: if the payment failed.
    """
    try:
        apply_outcome(outcome=outcome, now=now)
    except UnavailableError:  # the news is in the provider's books: webhook or reconciliation bring it again
        log.warning("outcome_not_applied", payment=payment_id)
    return _told(_reload(payment_id))
