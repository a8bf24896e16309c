"""Wake-ups: what has to be sent stands in rows."""

from __future__ import annotations

from celery import shared_task

from notifications import services
from shop.core import clock


@shared_task
def dispatch_messages(**_: object) -> None:
    """Make the messages that are missing, then send what is due."""
    now = clock.now()
    services.queue_order_mails(now=now)
    services.dispatch_messages(now=now)
