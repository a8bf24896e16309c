"""How much is left to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min

from shop.checkout import models
from shop.checkout.types import Backlog, PaymentState


def backlog(*, now: datetime) -> Backlog:
    """Tell how old the oldest undone work is (four queries, each on a partial index)."""
    grace = now - timedelta(seconds=1)
    webhooks = models.WebhookEvent.objects.filter(state=models.WebhookState.RECEIVED).aggregate(at=Min("received_at"))[
        "at"
    ]
    payments = models.Payment.objects.filter(next_check_at__lt=grace).aggregate(at=Min("next_check_at"))["at"]
    carts = models.Order.objects.filter(cart_cleared_at__isnull=True).aggregate(at=Min("placed_at"))["at"]
    return Backlog(
        webhooks_seconds=_age(webhooks, now),
        payments_seconds=_age(payments, now),
        carts_seconds=_age(carts, now),
        reviews=models.Payment.objects.filter(state=PaymentState.REVIEW.value).count(),
    )


def _age(at: datetime | None, now: datetime) -> int:
    return max(0, int((now - at).total_seconds())) if at else 0
