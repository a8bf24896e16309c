"""Wake-ups: each looks for what is due in the database and is safe to repeat."""

from __future__ import annotations

from celery import shared_task

from shop.accounts import services


@shared_task
def forget_sessions(**_: object) -> None:
    """Delete sessions that have run out."""
    services.forget_sessions()
