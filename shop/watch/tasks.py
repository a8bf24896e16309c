"""What Celery wakes: the checks, and the figures of staff's first page."""

from __future__ import annotations

from celery import shared_task

from shop.core import clock
from shop.watch import figures, services


@shared_task
def check_shop(**_: object) -> None:
    """Check what can be checked cheaply and keep alerts in step. Repairs nothing: that is for a person to decide."""
    outcomes = services.check(is_whole=False)
    services.keep_alerts(findings=[outcome.finding for outcome in outcomes], now=clock.now())


@shared_task
def count_figures(**_: object) -> None:
    """Count the figures of staff's first page."""
    figures.count(now=clock.now())
