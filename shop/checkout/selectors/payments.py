"""Reads of payments."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from shop.checkout import access, models
from shop.checkout.errors import PaymentUnknownError
from shop.checkout.selectors.ids import is_id, principal_of
from shop.checkout.types import PaymentState, PaymentView, Principal, RefundNotice
from shop.core.money import Money

TOO_LATE = ("sold_out", "code_used_up", "promotion_used_up")
"""Why a payment that succeeded made no order: what it was for had gone to somebody else."""


def get_payment(*, checkout_id: str, payment_id: str, principal: Principal) -> PaymentView:
    """Show a payment to the checkout's owner.

    :raises PaymentUnknownError: if there is none of this id in this checkout, or it is another's.
    """
    row = (
        models.Payment.objects.filter(payment_id=payment_id, checkout_id=checkout_id, checkout__owner=principal.owner)
        .select_related("order")
        .first()
        if is_id(payment_id) and is_id(checkout_id)
        else None
    )
    if row is None:
        raise PaymentUnknownError
    return payment_view(row)


def get_payment_for_payer(*, token: str) -> tuple[PaymentView, Principal]:
    """Show a payment to whoever holds its payer's link, and tell whose it is.

    :raises PaymentUnknownError: if the link is not ours, or is too old.
    """
    payment_id = access.verify_payer(token=token)
    row = models.Payment.objects.filter(payment_id=payment_id).select_related("order", "checkout").first()
    if row is None:
        raise PaymentUnknownError
    return payment_view(row), principal_of(row.checkout.owner)


def payment_view(row: models.Payment, *, order_number: str | None = None) -> PaymentView:
    """Show a payment; `order_number` spares asking for its order, and is empty if it has none."""
    if order_number is None:
        order = getattr(row, "order", None)
        order_number = order.number if order else ""
    return PaymentView(
        payment_id=row.payment_id,
        checkout_id=row.checkout_id,
        state=PaymentState(row.state),
        amount=Money(row.amount_minor, row.currency),
        order_number=order_number,
        decline_reason=row.reason if row.state == PaymentState.FAILED.value else "",
        action_url=_action_url(row),
    )


def _action_url(row: models.Payment) -> str:
    return row.action_url if row.state == PaymentState.REQUIRES_ACTION.value else ""


def list_refunds(*, settled_from: datetime, after: str = "", limit: int = 500) -> tuple[tuple[str, datetime], ...]:
    """List ids and times of payments that are given back, oldest first: later than a time and id."""
    since = models.Payment.objects.filter(
        Q(settled_at__gt=settled_from) | Q(settled_at=settled_from, payment_id__gt=after),
        state__in=[PaymentState.REFUND_DUE.value, PaymentState.REFUNDED.value],
    )
    pairs = since.order_by("settled_at", "payment_id").values_list("payment_id", "settled_at")[:limit]
    return tuple((payment_id, at) for payment_id, at in pairs if at is not None)


def get_refund_for_mail(*, payment_id: str) -> RefundNotice:
    """Show a refunded payment to the sender of its mail.

    :raises PaymentUnknownError: if there is none of this id.
    """
    row = models.Payment.objects.filter(payment_id=payment_id).select_related("checkout", "order").first()
    if row is None:
        raise PaymentUnknownError
    return RefundNotice(
        payment=payment_view(row), reason=row.reason, email=row.checkout.email, language=row.checkout.language
    )
