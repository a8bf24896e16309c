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
    (Template.REFUND.value, _("Refund")),
    (Template.REMINDER.value, _("Cart reminder")),
    (Template.SAVED_NEWS.value, _("News of saved items")),
]
HELD = (MessageState.CLAIMED.value, MessageState.SENDING.value)
MOVES = tuple(
    (before.value, after.value)
    for before, afters in {
        MessageState.DUE: (MessageState.CLAIMED, MessageState.CANCELLED),
        # Waits, is cancelled, cannot be rendered; or goes on.
        MessageState.CLAIMED: (
            *(MessageState.DUE, MessageState.CANCELLED, MessageState.FAILED),
            *(MessageState.GHOST, MessageState.SENDING),
        ),
        # As the mail server says, or does not.
        MessageState.SENDING: (MessageState.SENT, MessageState.FAILED, MessageState.UNKNOWN, MessageState.DUE),
        # An order mail goes again; the provider tells of it; staff send it again; its customer is forgotten.
        MessageState.UNKNOWN: (MessageState.CLAIMED, MessageState.SENT, MessageState.DUE, MessageState.CANCELLED),
        # Staff send it again.
        MessageState.FAILED: (MessageState.DUE,),
        MessageState.CANCELLED: (MessageState.DUE,),
    }.items()
    for after in afters
)
"""From which state to which other one a message may go. What is sent, or a ghost, stays that."""


class Message(models.Model):
    """One mail to be sent. Its subject is an order, a payment, or an abandonment; one message a subject and template.

    News of saved items have their subject in rows of their own (`SavedNews`), which name the message.

    A ghost is a reminder of the hold-out: it passed the same gates at the same time, and no mail was sent.
    """

    kind = models.CharField(_("kind"), max_length=12, choices=KINDS, default=MessageKind.ORDER.value)
    template_key = models.CharField(_("mail"), max_length=40, choices=TEMPLATES)
    order_number = models.CharField(_("order"), max_length=40, blank=True)
    payment_id = models.CharField(_("payment"), max_length=40, blank=True)
    abandonment = models.ForeignKey(
        "notifications.Abandonment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="messages",
        verbose_name=_("abandonment"),
    )
    step = models.ForeignKey(
        "notifications.Step",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,  # the steps of a campaign that has begun cannot go: a trigger sees to that
        verbose_name=_("step"),
    )
    step_no = models.PositiveSmallIntegerField(_("step number"), null=True, blank=True)
    public_id = models.CharField(_("message id"), max_length=40)
    """Stands in the mail's Message-ID: a mail that goes out twice bears the same."""
    state = models.CharField(_("state"), max_length=12, choices=STATES, default=MessageState.DUE.value)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    recipient = models.CharField(_("to"), max_length=254, blank=True)
    """Masked (`a***@example.com`): the address itself stays with the order."""
    recipient_hash = models.CharField(max_length=64, blank=True)
    """Of a reminder: what an unsubscription suppresses."""
    link_hash = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - unique where set
    """Of a reminder: the hash of what its links carry."""
    shown = models.JSONField(_("shown"), null=True, blank=True)
    """Of a reminder: subject, lines and prices as sent."""
    due_at = models.DateTimeField(_("due"))
    late_after = models.DateTimeField(_("too late after"), null=True, blank=True)
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
            # As a constraint it has one index; as `unique=True` a second one, for LIKE.
            models.UniqueConstraint(fields=["public_id"], name="one_message_a_public_id"),
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
            models.UniqueConstraint(
                fields=["abandonment", "step_no"],
                condition=Q(abandonment__isnull=False),
                name="one_message_per_event_step",
            ),
            # Only where set: a million enrolled carts without a link cost nothing here.
            models.UniqueConstraint(
                fields=["link_hash"], condition=Q(link_hash__isnull=False), name="one_message_a_link"
            ),
            models.CheckConstraint(
                condition=Q(
                    (Q(order_number="") & ~Q(payment_id="")) | (~Q(order_number="") & Q(payment_id="")),
                    kind=MessageKind.ORDER.value,
                    abandonment__isnull=True,
                )
                | Q(
                    kind=MessageKind.RECOVERY.value,
                    order_number="",
                    payment_id="",
                    abandonment__isnull=False,
                    step__isnull=False,
                    step_no__isnull=False,
                    late_after__isnull=False,
                )
                | Q(
                    kind=MessageKind.SAVED.value,
                    order_number="",
                    payment_id="",
                    abandonment__isnull=True,
                    late_after__isnull=False,
                ),
                name="message_kind_has_subject",
            ),
            models.CheckConstraint(
                condition=~Q(state=MessageState.GHOST.value)
                | Q(kind=MessageKind.RECOVERY.value, handed_at__isnull=True, link_hash__isnull=True),
                name="ghost_never_sent",
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
            # A reminder without an answer stays unknown for ever; an order mail goes again.
            models.Index(
                fields=["kind", "due_at", "id"],
                condition=Q(state="due") | Q(state="unknown", kind="order"),
                name="message_to_send",
            ),
            models.Index(fields=["lease_until"], condition=Q(state__in=HELD), name="message_held"),
            # Read backwards: what is new goes to the end, where a row costs least.
            models.Index(fields=["created_at", "id"], name="message_by_time"),
        ]
        permissions: ClassVar = [("resend_message", "Can send failed messages again")]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="message_sent_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state=MessageState.SENT.value),
            ),
            pgtrigger.FSM(name="message_moves", field="state", transitions=list(MOVES)),
        ]

    def __str__(self) -> str:
        """Name it by its public id."""
        return self.public_id


class RateBucket(models.Model):
    """Tokens that allow to send: refilled with time, taken before messages are claimed."""

    key = models.CharField(primary_key=True, max_length=40)
    tokens = models.FloatField()
    refilled_at = models.DateTimeField()
    halvings = models.PositiveSmallIntegerField(default=0, db_default=0)
    """How often the mail server said lately that it was too much: each halves the rate for a while."""
    halved_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """Name it by its key."""
        return self.key


class Cursor(models.Model):
    """How far a sweep over another app's rows has come."""

    key = models.CharField(primary_key=True, max_length=40)
    position_at = models.DateTimeField()
    position_id = models.BigIntegerField(default=0)
    """Of the last row among those of that moment, where a sweep needs it."""

    def __str__(self) -> str:
        """Name it by its key."""
        return self.key
