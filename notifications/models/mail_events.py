"""What mail providers told about mails: stored at once, applied afterwards."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.models.messages import Message
from notifications.types import MailEventKind


class MailEvent(models.Model):
    """One piece of news about one mail. The address is kept as a keyed hash, and nothing else of what was said."""

    KINDS: ClassVar = [
        (MailEventKind.DELIVERED.value, _("delivered")),
        (MailEventKind.BOUNCED.value, _("bounced for good")),
        (MailEventKind.SOFT_BOUNCED.value, _("bounced for now")),
        (MailEventKind.COMPLAINED.value, _("complaint")),
        (MailEventKind.UNSUBSCRIBED.value, _("unsubscribed at the provider")),
    ]

    message = models.ForeignKey(Message, on_delete=models.CASCADE, null=True, blank=True, related_name="mail_events")
    """None: the provider named no mail of ours. The address counts all the same."""
    kind = models.CharField(_("what"), max_length=16, choices=KINDS)
    provider = models.CharField(_("provider"), max_length=20)
    email_hash = models.CharField(_("address, hashed"), max_length=64)
    at = models.DateTimeField(_("at"))
    received_at = models.DateTimeField(_("heard"))
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)
    dedupe_key = models.CharField(max_length=64)
    """The same news told twice is one row."""

    class Meta:
        verbose_name = _("news of a mail")
        verbose_name_plural = _("news of mails")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dedupe_key"], name="one_mail_event_a_piece_of_news"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in MailEventKind]), name="mail_event_kind_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(applied_at__isnull=True), name="mail_event_to_apply"),
            models.Index(fields=["email_hash", "at"], condition=Q(kind="soft_bounced"), name="mail_event_soft"),
        ]

    def __str__(self) -> str:
        return self.kind
