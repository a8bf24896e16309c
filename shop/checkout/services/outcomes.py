"""What the provider says becomes what we did: the one way to move a payment, whoever brings the news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from django.db import IntegrityError, transaction

from inventory import services as inventory
from shop.checkout import models, rules
from shop.checkout.gateways import gateway, is_known
from shop.checkout.gateways.port import Outcome
from shop.checkout.selectors import TOO_LATE, payment_view
from shop.checkout.services import rows
from shop.checkout.services.capturing import capture
from shop.checkout.services.clearing import Ordered, finish_order, unlock_cart
from shop.checkout.services.ordering import Locked, NotOrderedError, lock_payment, place_order
from shop.checkout.types import CheckoutState, PaymentState, PaymentView
from shop.core.db import failures_named, retrying

log = structlog.get_logger(__name__)

UNDECIDED = (PaymentState.PROCESSING, PaymentState.REQUIRES_ACTION)
FREE = "none"
"""The provider of a payment of 0: nobody is asked."""


class Effect(StrEnum):
    """What became of the news."""

    MOVED = "moved"
    KNOWN = "known"
    """It was known already, or outranked by what is known."""
    MISMATCHED = "mismatched"
    """It contradicts our payment and was not believed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The payment afterwards."""

    payment: PaymentView
    """As it was when the news had been applied."""
    effect: Effect
    owner: str
    reason: str = ""
    """What the news contradicts; empty if nothing."""
    needs_capture: bool = False
    ordered: Ordered | None = None

    @property
    def order_number(self) -> str:
        """The number of the order that the news made; empty if it made none."""
        return self.payment.order_number if self.ordered else ""


def apply_outcome(*, outcome: Outcome, now: datetime) -> Applied:
    """Move our payment to where the provider says it is, and do what follows from that, in one transaction.

    Success makes the reservation hard, the cart record converted, and the order with its lines; if the reservation is
    gone the units are reserved again; if they are sold, all that is rolled back, and in a transaction of its own the
    payment becomes `refund_due`, a row that a task works off.
    Failure opens the checkout again and gives its units back. States move by precedence, so the order of arrival does
    not matter and news told twice changes nothing. News that contradicts the payment (amount, currency, checkout,
    account, mode) puts an undecided payment into review and makes no order.

    A chargeback, or a refund of another amount, is for people to look at; the order and its stock stay.

    Afterwards, outside the transaction, the ordered lines leave the cart, and money that was only held is taken; if the
    process dies before that, `finish_checkouts` and `reconcile_payments` do it.
    Locks: checkout → payment → cart record → promotions → codes → reservation → stock rows by SKU.

    :raises PaymentUnknownError: if no payment has this key.
    :raises UnavailableError: if locks were not to be had; nothing changed, the news must be applied again.
    """
    with failures_named():
        try:
            applied = _apply(outcome, now)
        except NotOrderedError as refused:
            # Whoever else brings the same news meanwhile is refused as well, or has made the order: both are seen.
            applied = _apply(outcome, now, refusal=refused.reason)
    payment = applied.payment
    if applied.ordered:
        finish_order(number=payment.order_number, now=now, known=applied.ordered)
        if applied.needs_capture:
            capture(payment_id=payment.payment_id)
    elif applied.effect is Effect.MOVED and payment.state in (PaymentState.FAILED, PaymentState.REFUND_DUE):
        unlock_cart(applied.owner, checkout_id=payment.checkout_id)
    return applied


@retrying
def _apply(outcome: Outcome, now: datetime, *, refusal: str = "") -> Applied:
    """Apply news in one transaction; `refusal` says why success makes no order."""
    locked = lock_payment(outcome.key or _key_of(outcome.reference))
    checkout, payment = locked.checkout, locked.payment
    current = PaymentState(payment.state)
    is_asked_for = current is PaymentState.REFUND_DUE and outcome.state is PaymentState.REFUNDED
    contradiction = (
        "" if is_asked_for or outcome.state is PaymentState.REVIEW else rules.mismatch(claim(payment), told(outcome))
    )
    if contradiction:
        log.error("payment_mismatch", payment=payment.payment_id, reason=contradiction)
        is_undecided = rules.PRECEDENCE[current] < rules.PRECEDENCE[PaymentState.SUCCEEDED]
        is_odd_refund = outcome.state is PaymentState.REFUNDED and current is not PaymentState.REVIEW
        if is_undecided or is_odd_refund:
            move(payment, PaymentState.REVIEW, reason=contradiction, now=now)
        return _applied(locked, Effect.MISMATCHED, reason=contradiction)
    if not rules.may_move(current, outcome.state):
        return _applied(locked, Effect.KNOWN)
    if outcome.state not in UNDECIDED or not payment.provider_reference:
        payment.provider_reference = outcome.reference or payment.provider_reference
    payment.action_url = outcome.action_url or payment.action_url
    match outcome.state:
        case PaymentState.SUCCEEDED if refusal:
            give_up_order(locked, reason=refusal, now=now)
        case PaymentState.SUCCEEDED:
            number = place_order(locked, now=now, capture_at=now if outcome.needs_capture else None)
            return _applied(locked, Effect.MOVED, order_number=number, needs_capture=outcome.needs_capture)
        case PaymentState.FAILED:
            move(payment, PaymentState.FAILED, reason=outcome.reason or "declined", now=now)
            reopen(checkout, payment, release_cause="payment_failed", now=now)
        case PaymentState.REFUNDED:
            move(payment, PaymentState.REFUNDED, reason=payment.reason, now=now)
        case PaymentState.REVIEW:
            log.error("payment_in_review", payment=payment.payment_id, reason=outcome.reason)
            move(payment, PaymentState.REVIEW, reason=outcome.reason, now=now)
        case _:
            move(payment, outcome.state, reason="", now=now)
    return _applied(locked, Effect.MOVED)


def give_up_order(locked: Locked, *, reason: str, now: datetime) -> None:
    """Write that the money of a payment without an order has to go back; its checkout is opened where it can be."""
    log.error("payment_without_order", payment=locked.payment.payment_id, reason=reason)
    move(locked.payment, PaymentState.REFUND_DUE, reason=reason, now=now)
    if reason in TOO_LATE:
        reopen(locked.checkout, locked.payment, release_cause=reason, now=now)


def _key_of(reference: str) -> str:
    """Find our payment by the provider's reference; empty if none bears it."""
    found = models.Payment.objects.filter(provider_reference=reference) if reference else models.Payment.objects.none()
    return found.values_list("payment_id", flat=True).first() or ""


def claim(payment: models.Payment) -> rules.Claim:
    """Say what a payment of ours is for."""
    provider = gateway(payment.provider) if is_known(payment.provider) else None
    return rules.Claim(
        checkout_id=payment.checkout_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        account=provider.account if provider else FREE,
        is_live=provider.is_live if provider else True,
    )


def told(outcome: Outcome) -> rules.Claim:
    """Say what the provider thinks that its charge is for."""
    return rules.Claim(outcome.checkout_id, outcome.amount_minor, outcome.currency, outcome.account, outcome.is_live)


def free_outcome(payment: models.Payment) -> Outcome:
    """Say of a payment of 0, for which no provider is asked, that it succeeded."""
    return Outcome(
        key=payment.payment_id,
        reference="",
        checkout_id=payment.checkout_id,
        state=PaymentState.SUCCEEDED,
        amount_minor=0,
        currency=payment.currency,
        account=FREE,
        is_live=True,
    )


def move(payment: models.Payment, state: PaymentState, *, reason: str, now: datetime) -> None:
    """Write a payment's next state; what is undecided or due is looked at again, the rest is settled."""
    # Whoever tells payers of refunds follows `settled_at`: one that nobody here had asked for begins now.
    is_unasked = state is PaymentState.REFUNDED and payment.state != PaymentState.REFUND_DUE.value
    payment.state = state.value
    payment.reason = reason
    if state is PaymentState.REFUND_DUE:
        payment.next_check_at = now
        payment.checks = 0
        payment.settled_at = now
    elif is_unasked:
        payment.next_check_at = None
        payment.settled_at = now
    elif state not in UNDECIDED:
        payment.next_check_at = None
        payment.settled_at = payment.settled_at or now
    payment.save()


def reopen(checkout: models.Checkout, payment: models.Payment, *, release_cause: str, now: datetime) -> None:
    """Open a locked checkout again whose payment came to nothing: typed data and price lock stay.

    Its uses of codes and promotions go back, and its units, unless `release_cause` is empty. If the owner has another
    one open by now, this one ends.
    """
    others = checkout.payments.filter(state__in=models.payments.RUNNING).exclude(pk=payment.pk)
    if checkout.state != CheckoutState.PAYING.value or others.exists():
        return
    checkout.state = CheckoutState.OPEN.value
    try:
        with transaction.atomic():
            rows.touch(checkout, now=now)
    except IntegrityError as error:
        if "one_open_checkout_an_owner" not in str(error):
            raise
        checkout.refresh_from_db()
        rows.end(checkout, state=CheckoutState.CANCELLED, cause="superseded", now=now)
        return
    rows.release_uses(checkout)
    if checkout.reservation_id and release_cause:
        inventory.release(reservation_id=checkout.reservation_id, cause=release_cause)


def _applied(
    locked: Locked, effect: Effect, *, order_number: str = "", reason: str = "", needs_capture: bool = False
) -> Applied:
    checkout = locked.checkout
    return Applied(
        payment=payment_view(locked.payment, order_number=order_number),
        effect=effect,
        owner=checkout.owner,
        reason=reason,
        needs_capture=needs_capture,
        ordered=Ordered(checkout.owner, checkout.cart_content_version, locked.lines) if order_number else None,
    )
