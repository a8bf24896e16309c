"""What a customer who asks for their data is given of their checkouts, payments and orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from shop.checkout import models


@dataclass(frozen=True, slots=True)
class Trail:
    """The ids by which other apps know what a person bought."""

    checkout_ids: tuple[str, ...]
    order_numbers: tuple[str, ...]
    payment_ids: tuple[str, ...]


def checkouts_of(*, user_id: int | None, guest_email: str) -> QuerySet[models.Checkout]:
    """Give a customer's checkouts, and those of guests with this mail address; an empty address names no guest."""
    mine = Q(pk__in=[])
    if user_id is not None:
        mine |= Q(owner=f"u:{user_id}")
    if guest_email:
        mine |= Q(owner__startswith="g:", email__iexact=guest_email)
    return models.Checkout.objects.filter(mine)


def list_trail(*, user_id: int | None, guest_email: str = "") -> Trail:
    """List the ids of a customer's checkouts, orders and payments, and of those of guests with this mail address."""
    ids = tuple(checkouts_of(user_id=user_id, guest_email=guest_email).order_by("pk").values_list("pk", flat=True))
    return Trail(
        ids,
        tuple(models.Order.objects.filter(checkout__in=ids).order_by("pk").values_list("pk", flat=True)),
        tuple(models.Payment.objects.filter(checkout__in=ids).order_by("pk").values_list("pk", flat=True)),
    )


def export_buyer(*, user_id: int | None, guest_email: str = "") -> dict[str, Any]:
    """Give a customer's checkouts and orders, and those of guests with this mail address, as JSON-able values.

    Times are ISO 8601 in UTC, amounts minor units. An empty address names no guest. Four queries.
    """
    mine = checkouts_of(user_id=user_id, guest_email=guest_email)
    checkouts = mine.prefetch_related("payments").order_by("created_at")
    orders = models.Order.objects.filter(checkout__in=mine).prefetch_related("lines").order_by("placed_at")
    return {
        "orders": [
            {
                "number": order.number,
                "placed_at": order.placed_at.isoformat(),
                "email": order.email,
                "address": order.address,
                "language": order.language,
                "currency": order.currency,
                "lines": [
                    {
                        "sku_id": line.sku_id,
                        "title": line.title,
                        "quantity": line.quantity,
                        "unit_price_minor": line.unit_price_minor,
                        "discount_minor": line.discount_minor,
                    }
                    for line in order.lines.all()
                ],
                "subtotal_minor": order.subtotal_minor,
                "total_minor": order.total_minor,
            }
            for order in orders
        ],
        "checkouts": [
            {
                "checkout_id": checkout.checkout_id,
                "started_at": checkout.created_at.isoformat(),
                "state": checkout.state,
                "email": checkout.email,
                "address": checkout.address,
                "reminders_wanted": checkout.consent_reminders,
                "payments": [
                    {
                        "payment_id": payment.payment_id,
                        "started_at": payment.created_at.isoformat(),
                        "state": payment.state,
                        "amount_minor": payment.amount_minor,
                        "currency": payment.currency,
                        "method": payment.method,
                        "provider": payment.provider,
                        "provider_reference": payment.provider_reference,
                    }
                    for payment in checkout.payments.all()
                ],
            }
            for checkout in checkouts
        ],
    }
