"""What the report of a campaign rests on, as it was last counted."""

from __future__ import annotations

from django.db import models

from notifications.models.campaigns import Campaign


class StoredReport(models.Model):
    """One row a campaign, written over by each count. Numbers only: it names nobody."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, primary_key=True, related_name="stored_report")
    counted_at = models.DateTimeField()
    seconds = models.FloatField()
    """How long it took: what is dear is counted less often."""
    content = models.JSONField()

    def __str__(self) -> str:
        return f"{self.campaign_id}"
