"""What the sweep keeps for its own work."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


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
