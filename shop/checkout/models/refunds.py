"""Refunds that staff asked for, and who agreed to the large ones."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from shop.checkout.models.payments import Payment


class RefundState(models.TextChoices):
    """The life of a request."""

    ASKED = "asked", _("waits for a second person")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")


class RefundRequest(models.Model):
    """Somebody of the staff wants a payment given back, and why. Members of staff stand in it by number."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    reason = models.CharField(_("reason"), max_length=300)
    state = models.CharField(_("state"), max_length=12, choices=RefundState, default=RefundState.ASKED)
    asked_by = models.BigIntegerField(_("asked by staff member"))
    asked_at = models.DateTimeField(_("asked"))
    decided_by = models.BigIntegerField(_("decided by staff member"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    needs_second = models.BooleanField(_("needs a second person"))

    class Meta:
        """One open request a payment; nobody agrees to their own large one."""

        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        ordering: ClassVar = ["-asked_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(state=RefundState.ASKED.value), name="one_open_refund_a_payment"
            ),
            models.CheckConstraint(
                condition=~Q(state=RefundState.APPROVED.value, needs_second=True, decided_by=F("asked_by")),
                name="refund_second_person",
            ),
            models.CheckConstraint(
                condition=Q(state=RefundState.ASKED.value, decided_by__isnull=True)
                | (~Q(state=RefundState.ASKED.value) & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="refund_decided_by_somebody",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-asked_at"], name="refund_request_newest")]
        permissions: ClassVar = [("approve_refund", "Can agree to large refunds that others asked for")]
        triggers: ClassVar = [
            pgtrigger.Protect(name="refund_request_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="refund_request_terms_fixed", fields=["payment", "reason", "asked_by", "asked_at", "needs_second"]
            ),
        ]

    def __str__(self) -> str:
        """Name it by its payment."""
        return str(self.payment_id)
