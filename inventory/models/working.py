"""What the lanes of hot SKUs and the sweep keep for their own work."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inventory.types import LaneState


class LaneRequest(models.Model):
    """A request that waits in the lane of a hot SKU to be decided in order of arrival, with others, in one commit.

    It lives for milliseconds: whoever asked takes it out with its answer. The table is not logged (migration): after a
    crash nobody waits for an answer, and the reservations made by then are in tables that are.
    """

    lane = models.CharField(max_length=64)
    owner = models.CharField(max_length=80)
    reservation_id = models.CharField(max_length=40)
    sku_ids = ArrayField(models.CharField(max_length=64))
    quantities = ArrayField(models.IntegerField())
    ttl_seconds = models.IntegerField()
    state = models.CharField(max_length=10, default=LaneState.WAITING.value)
    short = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("lane request")
        verbose_name_plural = _("lane requests")
        indexes: ClassVar = [models.Index(fields=["lane", "id"], name="lane_waiting", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return f"{self.lane} {self.pk}"


class SweepRecord(models.Model):
    """When the sweep last came to its end: one row, for the health check."""

    name = models.CharField(primary_key=True, max_length=20)
    finished_at = models.DateTimeField()
    moved = models.IntegerField()

    class Meta:
        verbose_name = _("sweep record")
        verbose_name_plural = _("sweep records")

    def __str__(self) -> str:
        return self.name
