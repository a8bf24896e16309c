"""Who must not, or wants to, be written to."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifications.types import Scope, Topic


class Suppression(models.Model):
    """An address that must not be mailed, as a keyed hash: the list itself tells nobody's address."""

    SCOPES: ClassVar = [
        (Scope.ALL.value, _("all mails")),
        (Scope.CART_REMINDER.value, _("cart reminders")),
        (Scope.SAVED_NEWS.value, _("news of saved items")),
    ]

    email_hash = models.CharField(_("address, hashed"), max_length=64)
    scope = models.CharField(_("what"), max_length=16, choices=SCOPES)
    reason = models.CharField(_("reason"), max_length=40)
    source = models.CharField(_("by"), max_length=60)
    created_at = models.DateTimeField(_("since"))
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    """Of an address that bounced for now; none: for good."""

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["email_hash", "scope"], name="one_suppression_a_scope"),
        ]
        indexes: ClassVar = [models.Index(fields=["-created_at", "-id"], name="suppression_newest")]

    def __str__(self) -> str:
        return f"{self.email_hash[:8]} {self.scope}"


class Preference(models.Model):
    """One statement of a customer about a topic; the newest wins, the former ones stay as evidence."""

    TOPICS: ClassVar = [
        (Topic.CART_REMINDER.value, _("cart reminders")),
        (Topic.OPEN_TRACKING.value, _("that reminders tell when they are opened")),
        (Topic.PRICE_DROP.value, _("that saved items cost less")),
        (Topic.BACK_IN_STOCK.value, _("that saved items are back in stock")),
    ]

    user_id = models.BigIntegerField(_("customer"))
    topic = models.CharField(_("topic"), max_length=16, choices=TOPICS)
    is_granted = models.BooleanField(_("wanted"))
    wording = models.CharField(_("wording"), max_length=20)
    """Which version of the sentence was shown."""
    source = models.CharField(_("where"), max_length=40)
    collected_at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        ordering: ClassVar = ["-collected_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user_id", "topic", "-collected_at", "-id"], name="preference_newest")
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="preference_stays", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.topic}: {self.is_granted}"
