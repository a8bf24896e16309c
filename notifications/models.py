"""Messages: rows that say what has to be told, and what became of it."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.types import MessageKind, MessageState, Template

STATES = [(state.value, state.value) for state in MessageState]
KINDS = [(kind.value, kind.value) for kind in MessageKind]
TEMPLATES = [
    (Template.CONFIRMATION.value, _("Order confirmation")),
    (Template.REFUND.value, _("Refund of a late payment")),
]
HELD = (MessageState.CLAIMED.value, MessageState.SENDING.value)


class Message(models.Model):
    """One mail to be sent. Its subject is an order or a payment; one message a subject and template."""

    kind = models.CharField(_("kind"), max_length=12, choices=KINDS, default=MessageKind.ORDER.value)
    template_key = models.CharField(_("mail"), max_length=40, choices=TEMPLATES)
    order_number = models.CharField(_("order"), max_length=40, blank=True)
    payment_id = models.CharField(_("payment"), max_length=40, blank=True)
    public_id = models.CharField(_("message id"), max_length=40, unique=True)
    """Stands in the mail's Message-ID: a mail that goes out twice bears the same."""
    state = models.CharField(_("state"), max_length=12, choices=STATES, default=MessageState.DUE.value)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    recipient = models.CharField(_("to"), max_length=254, blank=True)
    """Masked (`a***@example.com`): the address itself stays with the order."""
    due_at = models.DateTimeField(_("due"))
    claim_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    deferrals = models.PositiveIntegerField(_("put off"), default=0)
    """How often the mail server was not there; not counted as tries."""
    created_at = models.DateTimeField(_("made"))
    handed_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        """A unique row is not a unique mail: the states see to that."""

        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order_number", "template_key"],
                condition=~Q(order_number=""),
                name="one_message_an_order_and_template",
            ),
            models.UniqueConstraint(
                fields=["payment_id", "template_key"],
                condition=~Q(payment_id=""),
                name="one_message_a_payment_and_template",
            ),
            models.CheckConstraint(
                condition=(Q(order_number="") & ~Q(payment_id="")) | (~Q(order_number="") & Q(payment_id="")),
                name="message_has_one_subject",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=HELD) | Q(lease_until__isnull=False, claim_token__isnull=False),
                name="lease_when_claimed",
            ),
            models.CheckConstraint(
                condition=~Q(state=MessageState.SENT.value) | Q(handed_at__isnull=False, sent_at__isnull=False),
                name="sent_has_times",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in MessageState]),
                name="message_state_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=Q(state__in=["due", "unknown"]), name="message_due"),
            models.Index(fields=["lease_until"], condition=Q(state__in=HELD), name="message_held"),
            models.Index(fields=["-created_at", "-id"], name="message_newest"),
        ]
        permissions: ClassVar = [("resend_message", "Can send failed messages again")]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="message_sent_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state=MessageState.SENT.value),
            ),
        ]

    def __str__(self) -> str:
        """Name it by its public id."""
        return self.public_id


class Cursor(models.Model):
    """How far a sweep over another app's rows has come."""

    key = models.CharField(primary_key=True, max_length=40)
    position_at = models.DateTimeField()

    def __str__(self) -> str:
        """Name it by its key."""
        return self.key
