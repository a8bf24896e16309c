"""What Celery wakes: the sweep, and what deletes what ended long ago."""

from __future__ import annotations

from celery import shared_task

from inventory import services


@shared_task
def sweep_reservations(**_: object) -> None:
    """End overdue reservations. Without it sales go on: whoever needs the units takes them over."""
    services.sweep()


@shared_task
def prune_reservations(**_: object) -> None:
    """Delete reservations that ended long ago."""
    services.prune_reservations()
