"""What came from outside and must not count twice: webhooks and keyed requests."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class WebhookState(models.TextChoices):
    """The life of an inbox row."""

    RECEIVED = "received", _("received")
    PROCESSED = "processed", _("processed")
    PARKED = "parked", _("parked")
    GIVEN_UP = "given_up", _("given up")


class WebhookEvent(models.Model):
    """A verified event of the payment provider, kept before anything is done about it."""

    provider = models.CharField(_("provider"), max_length=32)
    event_id = models.CharField(_("event"), max_length=200)
    kind = models.CharField(_("kind"), max_length=100, blank=True)
    object_id = models.CharField(_("object"), max_length=100, blank=True)
    body = models.TextField()
    state = models.CharField(_("state"), max_length=12, choices=WebhookState, default=WebhookState.RECEIVED)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"))
    error = models.CharField(_("error"), max_length=200, blank=True)
    received_at = models.DateTimeField(_("received"))
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)

    class Meta:
        """One row an event."""

        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering: ClassVar = ["-received_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="one_row_a_webhook_event"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at", "id"], condition=Q(state="received"), name="webhook_to_process"),
            models.Index(fields=["-received_at"], name="webhook_newest"),
        ]
        permissions: ClassVar = [("retry_webhook", "Can take parked events up again, or give them up")]

    def __str__(self) -> str:
        """Name it by provider and id."""
        return f"{self.provider} {self.event_id}"


class IdempotencyState(models.TextChoices):
    """The life of a keyed request."""

    RUNNING = "running", _("running")
    DONE = "done", _("done")


class IdempotencyRecord(models.Model):
    """A keyed request of one principal on one route, and its answer once there is one."""

    principal = models.CharField(_("principal"), max_length=80)
    route = models.CharField(_("route"), max_length=200)
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(_("state"), max_length=8, choices=IdempotencyState, default=IdempotencyState.RUNNING)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    lease_until = models.DateTimeField(_("lease until"))
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(_("first seen"))

    class Meta:
        """One row a principal, route and key."""

        verbose_name = _("idempotency record")
        verbose_name_plural = _("idempotency records")
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["principal", "route", "key"], name="one_record_a_key"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_oldest")]

    def __str__(self) -> str:
        """Show the beginning of the key only."""
        return self.key[:8]
