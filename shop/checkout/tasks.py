"""Wake-ups: each looks for what is due in the database and is safe to repeat."""

from __future__ import annotations

from celery import shared_task

from shop.checkout import services
from shop.core import clock


@shared_task
def finish_checkouts(**_: object) -> None:
    """Clear carts of orders, follow edited carts, end old checkouts."""
    services.finish_checkouts(now=clock.now())


@shared_task
def process_webhooks(**_: object) -> None:
    """Work off the inbox."""
    services.process_webhooks(now=clock.now())


@shared_task
def reconcile_payments(**_: object) -> None:
    """Compare payments with the provider's books, and refund what is due."""
    services.reconcile_payments(now=clock.now())
