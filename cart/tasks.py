"""The cart's periodic work."""

from __future__ import annotations

from celery import shared_task

from cart import services
from shop.core import clock


@shared_task(name="cart.tasks.prune_records")
def prune_records(**_: object) -> None:
    """Delete guests' records and changes of carts that have outlived their time."""
    services.prune_records(now=clock.now())
    services.prune_history(now=clock.now())
