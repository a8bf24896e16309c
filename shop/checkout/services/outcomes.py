"""What the provider says becomes what we did: the one way to move a payment, whoever brings the news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from django.db import IntegrityError, transaction

from cart import services as carts
from inventory import services as inventory
from inventory.errors import InsufficientStockError, ReservationExpiredError
from pricing.errors import CodeUsedUpError, PromotionUsedUpError
from shop.catalog import selectors as catalog
from shop.checkout import models, rules
from shop.checkout.errors import PaymentUnknownError
from shop.checkout.gateways import gateway, is_known
from shop.checkout.gateways.port import Outcome
from shop.checkout.selectors import TOO_LATE, is_id
from shop.checkout.services import rows
from shop.checkout.services.capturing import capture
from shop.checkout.services.clearing import finish_order, unlock_cart
from shop.checkout.services.quoting import note_charged
from shop.checkout.types import CheckoutState, PaymentState
from shop.core.db import failures_named, retrying
from shop.core.ids import new_id

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

    payment_id: str
    checkout_id: str
    state: PaymentState
    effect: Effect
    order_number: str = ""
    owner: str = ""
    reason: str = ""
    needs_capture: bool = False


def apply_outcome(*, outcome: Outcome, now: datetime) -> Applied:
    """Move our payment to where the provider says it is, and do what follows from that, in one transaction.

    Success makes the reservation hard, the cart record converted, and the order with its lines; if the reservation is
    gone the units are reserved again; if they are sold, the payment becomes `refund_due`, a row that a task works off.
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
        applied = _apply(outcome, now)
    if applied.order_number:
        finish_order(number=applied.order_number, now=now)
        if applied.needs_capture:
            capture(payment_id=applied.payment_id)
    elif applied.effect is Effect.MOVED and applied.state in (PaymentState.FAILED, PaymentState.REFUND_DUE):
        unlock_cart(applied.owner, checkout_id=applied.checkout_id)
    return applied


@retrying
def _apply(outcome: Outcome, now: datetime) -> Applied:
    checkout, payment = lock_payment(outcome.key or _key_of(outcome.reference))
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
        return _applied(checkout, payment, Effect.MISMATCHED, reason=contradiction)
    if not rules.may_move(current, outcome.state):
        return _applied(checkout, payment, Effect.KNOWN)
    if outcome.state not in UNDECIDED or not payment.provider_reference:
        payment.provider_reference = outcome.reference or payment.provider_reference
    payment.action_url = outcome.action_url or payment.action_url
    match outcome.state:
        case PaymentState.SUCCEEDED:
            number = succeed(checkout, payment, now)
            needs_capture = bool(number) and outcome.needs_capture
            if needs_capture:
                payment.next_check_at = now
                payment.save(update_fields=["next_check_at"])
            return _applied(checkout, payment, Effect.MOVED, order_number=number, needs_capture=needs_capture)
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
    return _applied(checkout, payment, Effect.MOVED)


def _key_of(reference: str) -> str:
    """Find our payment by the provider's reference; empty if none bears it."""
    found = models.Payment.objects.filter(provider_reference=reference) if reference else models.Payment.objects.none()
    return found.values_list("payment_id", flat=True).first() or ""


def lock_payment(key: str) -> tuple[models.Checkout, models.Payment]:
    """Lock a payment and, before it, its checkout, until the transaction ends.

    :raises PaymentUnknownError: if there is none of this id.
    """
    checkout_id = (
        models.Payment.objects.filter(payment_id=key).values_list("checkout_id", flat=True).first()
        if is_id(key)
        else None
    )
    if checkout_id is None:
        raise PaymentUnknownError
    checkout = models.Checkout.objects.select_for_update(no_key=True).order_by("checkout_id").get(pk=checkout_id)
    return checkout, models.Payment.objects.select_for_update(no_key=True).order_by("payment_id").get(pk=key)


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
    payment.state = state.value
    payment.reason = reason
    if state is PaymentState.REFUND_DUE:
        payment.next_check_at = now
        payment.checks = 0
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


def succeed(checkout: models.Checkout, payment: models.Payment, now: datetime) -> str:
    """Make the order of a verified payment, or the refund if there can be none. Gives the order's number or nothing."""
    refusal = _why_no_order(checkout, payment)
    if not refusal:
        try:
            with transaction.atomic():
                return _order(checkout, payment, now)
        except InsufficientStockError:
            refusal = "sold_out"
        except (CodeUsedUpError, PromotionUsedUpError) as error:
            refusal = error.code
        except IntegrityError as error:  # another checkout of the same cart content was quicker
            if "one_order_a_cart_content" not in str(error):
                raise
            refusal = "ordered_already"
        checkout.refresh_from_db()
        payment.refresh_from_db()
    log.error("payment_without_order", payment=payment.payment_id, reason=refusal)
    move(payment, PaymentState.REFUND_DUE, reason=refusal, now=now)
    if refusal in TOO_LATE:
        reopen(checkout, payment, release_cause=refusal, now=now)
    return ""


def _why_no_order(checkout: models.Checkout, payment: models.Payment) -> str:
    if models.Order.objects.filter(owner=checkout.owner, cart_content_version=checkout.cart_content_version).exists():
        return "ordered_already"
    if models.Order.objects.filter(checkout=checkout).exists():
        return "ordered_already"
    if checkout.state == CheckoutState.CANCELLED.value:
        return "checkout_cancelled"
    if checkout.quote_number != payment.quote_number:
        return "quote_replaced"
    return ""


def _order(checkout: models.Checkout, payment: models.Payment, now: datetime) -> str:
    """Write everything that an order is; the caller rolls all of it back if a line is sold out.

    :raises InsufficientStockError: if the reservation is gone and its units are sold.
    :raises PromotionUsedUpError, CodeUsedUpError: if a use was given back and taken by another.
    """
    number = new_id("ord")
    lines = list(checkout.lines.all())
    carts.convert_record(
        ref=rows.ref_of(checkout.owner),
        content_version=checkout.cart_content_version,
        lines=lines,
        order_number=number,
    )
    rows.finish_uses(checkout, order_number=number)
    note_charged(checkout, lines, order_number=number)
    try:
        inventory.commit(reservation_id=checkout.reservation_id)
    except ReservationExpiredError:
        rows.reserve(checkout)
        inventory.commit(reservation_id=checkout.reservation_id)
    cards = catalog.list_cards(sku_ids=[line.sku_id for line in lines])
    checkout.state = CheckoutState.COMPLETED.value
    checkout.end_cause = "ordered"
    checkout.ended_at = now
    rows.touch(checkout, now=now)
    move(payment, PaymentState.SUCCEEDED, reason="", now=now)
    order = models.Order.objects.create(
        number=number,
        checkout=checkout,
        payment=payment,
        owner=checkout.owner,
        user_id=checkout.user_id,
        cart_content_version=checkout.cart_content_version,
        currency=checkout.currency,
        subtotal_minor=checkout.subtotal_minor,
        total_minor=checkout.total_minor,
        discounts=checkout.discounts,
        email=checkout.email,
        address=checkout.address,
        language=checkout.language,
        placed_at=now,
    )
    models.OrderLine.objects.bulk_create(
        models.OrderLine(
            order=order,
            position=line.position,
            sku_id=line.sku_id,
            title=line.title,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            discount_minor=line.discount_minor,
            image_url=cards[line.sku_id].image_url if line.sku_id in cards else "",
        )
        for line in lines
    )
    return number


def _applied(
    checkout: models.Checkout,
    payment: models.Payment,
    effect: Effect,
    *,
    order_number: str = "",
    reason: str = "",
    needs_capture: bool = False,
) -> Applied:
    return Applied(
        payment_id=payment.payment_id,
        checkout_id=payment.checkout_id,
        state=PaymentState(payment.state),
        effect=effect,
        order_number=order_number,
        owner=checkout.owner,
        reason=reason,
        needs_capture=needs_capture,
    )
