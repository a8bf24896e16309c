"""Wake-ups: what has to be sent stands in rows."""

from __future__ import annotations

from celery import shared_task

from notifications import services
from shop.core import clock


@shared_task
def dispatch_messages(**_: object) -> None:
    """Make the order mails that are missing, then send what is due."""
    now = clock.now()
    services.queue_order_mails(now=now)
    services.dispatch_messages(now=now)


@shared_task
def send_reminders(**_: object) -> None:
    """Send the reminders that are due."""
    services.send_reminders(now=clock.now())


@shared_task
def find_saved_news(**_: object) -> None:
    """Find what is new of items that customers saved for later."""
    services.find_saved_news(now=clock.now())


@shared_task
def send_saved_news(**_: object) -> None:
    """Send the news of saved items that are due."""
    services.send_saved_news(now=clock.now())


@shared_task
def detect_idle_carts(**_: object) -> None:
    """Enroll the carts that have become idle."""
    services.detect(now=clock.now())


@shared_task
def sweep_idle_carts(**_: object) -> None:
    """Look at all idle carts once more: records may come late."""
    services.detect(now=clock.now(), is_sweep=True)


@shared_task
def follow_events(**_: object) -> None:
    """Write down orders, queue the next mails of sequences, end and forget what is over."""
    now = clock.now()
    services.attribute_orders(now=now)
    services.attribute_refunds(now=now)
    services.forget_sources(now=now)
    services.queue_next_steps(now=now)
    services.close_events(now=now)
    services.void_grants(now=now)


@shared_task
def count_reports(**_: object) -> None:
    """Count what reports rest on, and pause the campaigns that went wrong."""
    services.count_reports(now=clock.now())
    services.watch_campaigns(now=clock.now())


@shared_task
def apply_mail_events(**_: object) -> None:
    """Do what follows from what mail providers told."""
    services.apply_mail_events(now=clock.now())


@shared_task
def forget_old(**_: object) -> None:
    """Empty what is older than the shop keeps."""
    services.forget_old(now=clock.now())
