"""Alerts: what the watch found, for staff. And the figures of their first page."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Alert(models.Model):
    """Something wrong, from when it was first seen until a check no longer finds it."""

    section = models.CharField(_("section"), max_length=40)
    subject = models.CharField(_("about"), max_length=120)
    detail = models.CharField(_("what is wrong"), max_length=300)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["first_seen_at"], name="alert_first_seen")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["section", "subject"], condition=Q(ended_at__isnull=True), name="one_open_alert_a_subject"
            )
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="alert_is_kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.section}: {self.subject}"


class Roundup(models.Model):
    """The figures of staff's first page as last counted: one row, so that opening the page counts nothing."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    figures = models.JSONField()
    """`shop.watch.figures.Figures` as JSON."""
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("figures")
        verbose_name_plural = _("figures")
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="one_roundup")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.counted_at}"


class GroupRight(models.Model):
    """A right of the groups' table that a group was given once: what staff take away from it stays away."""

    group = models.CharField(max_length=150)
    right = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["group", "right"], name="each_right_is_given_once")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.group}: {self.right}"
