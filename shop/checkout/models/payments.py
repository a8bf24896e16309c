"""Payments, and the books of the offline gateway."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop.checkout.errors import GatewayUnavailableError
from shop.checkout.models.checkouts import Checkout
from shop.checkout.types import PaymentState

PAYMENT_STATES = [(state.value, state.value) for state in PaymentState]
RUNNING = (PaymentState.CREATED.value, PaymentState.PROCESSING.value, PaymentState.REQUIRES_ACTION.value)
UNREACHED_REASON = GatewayUnavailableError.code
UNREACHED = Q(state=PaymentState.FAILED.value, reason=UNREACHED_REASON)
"""A try that ended before the provider heard of it."""


class Payment(models.Model):
    """One try to pay one quote of a checkout. Committed before the provider is asked; its id is the provider's key."""

    payment_id = models.CharField(_("payment"), primary_key=True, max_length=40)
    checkout = models.ForeignKey(Checkout, on_delete=models.PROTECT, related_name="payments")
    key = models.CharField(max_length=255)
    """The idempotency key of the request that began it: the same key begins no other, once the provider was reached."""
    quote_number = models.PositiveIntegerField(_("quote"))
    state = models.CharField(_("state"), max_length=16, choices=PAYMENT_STATES, default=PaymentState.CREATED.value)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    method = models.CharField(_("method"), max_length=32)
    provider = models.CharField(_("provider"), max_length=32)
    provider_reference = models.CharField(_("provider's reference"), max_length=100, blank=True)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    """Why it was declined, is in review or has to be refunded: a stable code."""
    action_url = models.TextField(blank=True, default="", db_default="")
    """Where the payer confirms it, while that is needed."""
    next_check_at = models.DateTimeField(_("next check"), null=True, blank=True)
    """When reconciliation asks the provider again, or the refund is due."""
    checks = models.PositiveIntegerField(_("checks"), default=0)
    created_at = models.DateTimeField(_("started"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)

    class Meta:
        """One running payment a checkout; one payment a key, those apart that never reached the provider."""

        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["checkout"],
                condition=Q(state__in=RUNNING),
                name="one_running_payment_a_checkout",
            ),
            models.UniqueConstraint(fields=["checkout", "key"], condition=~UNREACHED, name="one_reached_payment_a_key"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in PaymentState]),
                name="payment_state_known",
            ),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="payment_amount_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="payment_to_check",
            ),
            models.Index(
                fields=["settled_at", "payment_id"],
                condition=Q(state__in=[PaymentState.REFUND_DUE.value, PaymentState.REFUNDED.value]),
                name="payment_refunded",
            ),
            models.Index(fields=["-created_at"], name="payment_newest"),
        ]
        permissions: ClassVar = [
            ("check_payment", "Can ask the provider about payments"),
            ("refund_payment", "Can have payments given back"),
            ("review_payment", "Can settle payments in review"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="payment_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="payment_terms_fixed",
                fields=["checkout", "key", "quote_number", "amount_minor", "currency", "provider", "created_at"],
            ),
        ]

    def __str__(self) -> str:
        """Name it by its id."""
        return self.payment_id


class FakeCharge(models.Model):
    """What the offline gateway has in its books: written as another company would, never in our transactions."""

    key = models.CharField(primary_key=True, max_length=64)
    reference = models.CharField(max_length=64, unique=True)
    checkout_id = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, blank=True)
    settles_at = models.DateTimeField(null=True)
    """When a slow charge succeeds."""
    is_told = models.BooleanField(default=False)
    """Whether the webhook of the present state was sent."""
    created_at = models.DateTimeField()

    class Meta:
        """Kept apart from our own rows."""

        indexes: ClassVar = [
            models.Index(fields=["created_at"], condition=Q(is_told=False), name="fakecharge_to_tell"),
            models.Index(fields=["created_at"], name="fakecharge_newest"),
        ]

    def __str__(self) -> str:
        """Name it by the provider's reference."""
        return self.reference
