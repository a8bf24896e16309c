"""Reads of alerts."""

from __future__ import annotations

from django.db.models import Count

from shop.watch.models import Alert


def open_alerts() -> dict[str, int]:
    """Count open alerts by section (one query)."""
    counted = Alert.objects.filter(ended_at__isnull=True).order_by().values_list("section").annotate(n=Count("id"))
    return dict(counted)
