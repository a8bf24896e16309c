"""Take the money of orders: the provider only held it until the order was placed."""

from __future__ import annotations

import structlog

from shop.checkout import models
from shop.checkout.gateways import gateway
from shop.checkout.gateways.port import GatewayDownError, GatewayTimeoutError
from shop.checkout.types import PaymentState

log = structlog.get_logger(__name__)


def capture(*, payment_id: str) -> bool:
    """Take what is held for an order; tell whether it is taken. Safe to repeat.

    Unanswered, it stays due and reconciliation repeats it. What can no longer be taken goes to review: the order is
    placed, and people decide about it.
    """
    payment = models.Payment.objects.get(pk=payment_id)
    due = models.Payment.objects.filter(pk=payment_id, state=PaymentState.SUCCEEDED.value)
    try:
        outcome = gateway(payment.provider).capture(key=payment_id, reference=payment.provider_reference)
    except (GatewayDownError, GatewayTimeoutError):
        log.warning("capture_waits", payment=payment_id)
        return False
    if outcome.state is PaymentState.SUCCEEDED and not outcome.needs_capture:
        due.update(next_check_at=None)
        return True
    if outcome.state is not PaymentState.SUCCEEDED:
        log.error("capture_failed", payment=payment_id, state=outcome.state, reason=outcome.reason)
        due.update(state=PaymentState.REVIEW.value, reason="capture_failed", next_check_at=None)
    return False
