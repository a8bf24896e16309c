"""What staff decide about money: give it back, attach it to its order, let an event go.

All of it inside the caller's transaction, so that the audit's entry stands or falls with the decision.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from shop.checkout import models, rules
from shop.checkout.conf import conf
from shop.checkout.errors import GatewayUnavailableError, NotDecidableError, PaymentUnknownError
from shop.checkout.gateways import gateway, is_known
from shop.checkout.gateways.port import GatewayDownError, GatewayTimeoutError, Outcome
from shop.checkout.services import outcomes
from shop.checkout.services.ordering import NotOrderedError, lock_payment, place_order
from shop.checkout.types import PaymentState
from shop.core.errors import ErrorDetail, RejectedError

REASON_LIMIT = 300
_REFUNDABLE = (PaymentState.SUCCEEDED.value, PaymentState.REVIEW.value)


def ask_refund(*, payment_id: str, reason: str, by: int, now: datetime) -> bool:
    """Have a payment given back, all of it; tell whether a second person has to agree first.

    Up to `CHECKOUT_REFUND_LIMIT_MINOR` the refund is due at once: a task asks the provider. The order stays as it is,
    and so does its stock: what comes back is booked in by hand.

    :raises PaymentUnknownError: if there is no such payment.
    :raises RejectedError: if there is no reason, or one of more than 300 characters; detail at `/reason`.
    :raises NotDecidableError: if it is neither paid nor in review, was free, or a refund of it was asked for already.
    """
    text = " ".join(reason.split())
    if not text or len(text) > REASON_LIMIT:
        code = "too_long" if text else "reason_missing"
        raise RejectedError(errors=(ErrorDetail("/reason", code, {"limit": REASON_LIMIT}),))
    payment = lock_payment(payment_id).payment
    if payment.state not in _REFUNDABLE or not is_known(payment.provider):
        raise NotDecidableError(payment.state)
    if payment.refund_requests.filter(state=models.RefundState.ASKED).exists():
        raise NotDecidableError("refund_asked")
    needs_second = payment.amount_minor > conf().refund_limit_minor
    request = models.RefundRequest(
        payment=payment,
        reason=text,
        asked_by=by,
        asked_at=now,
        needs_second=needs_second,
        state=models.RefundState.ASKED,
    )
    if not needs_second:
        request.state, request.decided_by, request.decided_at = models.RefundState.APPROVED, by, now
        outcomes.move(payment, PaymentState.REFUND_DUE, reason="staff", now=now)
    request.save()
    return needs_second


def decide_refund(*, request_id: int, approve: bool, by: int, now: datetime) -> None:
    """Agree to a large refund, or refuse it. Whoever asked for it may take it back, but not agree to it.

    :raises PaymentUnknownError: if there is no such request.
    :raises NotDecidableError: if it is decided, was asked for by the same person, or the payment changed meanwhile.
    """
    payment_id = models.RefundRequest.objects.filter(pk=request_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise PaymentUnknownError
    payment = lock_payment(payment_id).payment
    request = models.RefundRequest.objects.select_for_update().order_by("pk").get(pk=request_id)
    if request.state != models.RefundState.ASKED:
        raise NotDecidableError(request.state)
    if approve and request.asked_by == by:
        raise NotDecidableError("second_person")
    if approve and payment.state not in _REFUNDABLE:
        raise NotDecidableError(payment.state)
    request.state = models.RefundState.APPROVED if approve else models.RefundState.REFUSED
    request.decided_by, request.decided_at = by, now
    request.save()
    if approve:
        outcomes.move(payment, PaymentState.REFUND_DUE, reason="staff", now=now)


def look_up(*, payment_id: str) -> Outcome | None:
    """Ask the provider what it has in its books; outside of transactions. None if it has nothing.

    :raises PaymentUnknownError: if there is no such payment.
    :raises GatewayUnavailableError: if the provider does not answer.
    """
    payment = models.Payment.objects.filter(pk=payment_id).first()
    if payment is None or not is_known(payment.provider):
        raise PaymentUnknownError
    try:
        return gateway(payment.provider).find(
            key=payment_id, reference=payment.provider_reference, since=payment.created_at
        )
    except (GatewayDownError, GatewayTimeoutError) as error:
        raise GatewayUnavailableError(retry_after_seconds=10) from error


def attach_payment(*, payment_id: str, outcome: Outcome | None, now: datetime) -> str:
    """Settle a payment in review as paid: its order stands, or is made now. Gives the order's number.

    Only what the provider's books say counts (`look_up`): paid, in full, for this checkout. Empty: the order could not
    be made any more, and the refund is due. The caller clears the cart afterwards (`finish_order`).

    :raises PaymentUnknownError: if there is no such payment.
    :raises NotDecidableError: if it is not in review, or the books say something else.
    """
    locked = lock_payment(payment_id)
    payment = locked.payment
    if payment.state != PaymentState.REVIEW.value:
        raise NotDecidableError(payment.state)
    if outcome is None or outcome.state is not PaymentState.SUCCEEDED:
        raise NotDecidableError("not_paid")
    if contradiction := rules.mismatch(outcomes.claim(payment), outcomes.told(outcome)):
        raise NotDecidableError(contradiction)
    payment.provider_reference = outcome.reference or payment.provider_reference
    number = models.Order.objects.filter(payment=payment).values_list("number", flat=True).first() or ""
    capture_at = now if outcome.needs_capture else None
    if number:
        outcomes.move(payment, PaymentState.SUCCEEDED, reason="", now=now)
        if capture_at:
            payment.next_check_at = capture_at
            payment.save(update_fields=["next_check_at"])
        return number
    try:
        with transaction.atomic():
            return place_order(locked, now=now, capture_at=capture_at)
    except NotOrderedError as refused:
        outcomes.give_up_order(lock_payment(payment_id), reason=refused.reason, now=now)
    return ""


def give_up_webhook(*, event_id: int, now: datetime) -> bool:
    """Close a parked event that nobody has to do anything about; tell whether it was parked."""
    parked = models.WebhookEvent.objects.filter(pk=event_id, state=models.WebhookState.PARKED)
    return bool(parked.update(state=models.WebhookState.GIVEN_UP, processed_at=now))
