"""What Celery wakes: the sweep."""

from __future__ import annotations

from celery import shared_task

from inventory import services


@shared_task
def sweep_reservations(**_: object) -> None:
    """End overdue reservations. Without it sales go on: whoever needs the units takes them over."""
    services.sweep()
