"""The Celery app and its schedule: only a wake-up, what has to be done stands in the database."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.schedules import schedule
from celery.signals import setup_logging, worker_before_create_process, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.prod")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_configure.connect
def _add_structlog(**_: object) -> None:
    """Give each task's log lines the id of the request that asked for it."""
    from django_structlog.celery.steps import DjangoStructLogInitStep  # noqa: PLC0415 - needs settings

    app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def _keep_django_logging(**_: object) -> None:
    """Leave logging as the settings have it: a receiver here is what keeps Celery from taking it over."""


@worker_before_create_process.connect
def _close_pools(**_: object) -> None:
    """Close database pools before a fork: a connection shared by two processes corrupts both."""
    from django.db import connections  # noqa: PLC0415 - needs settings

    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()


@worker_process_init.connect
def _freeze_what_is_loaded(**_: object) -> None:
    """Take what is loaded by now out of garbage collection: to walk all of it takes 65 ms amid a batch of carts."""
    gc.freeze()


def beat_schedule(*, sweep_seconds: int, dispatch_seconds: int, scan_seconds: int) -> dict[str, dict[str, Any]]:
    """Say which task is woken how often.

    A wake-up that no worker took before the next one is due expires, so that a dead worker leaves no pile behind.
    Every task guards itself: two beats, or none for a while, do no harm.
    """
    periods = {
        "inventory.tasks.sweep_reservations": sweep_seconds,
        "inventory.tasks.prune_reservations": 86_400,
        "shop.accounts.tasks.forget_sessions": 86_400,
        "shop.checkout.tasks.finish_checkouts": 15,
        "shop.checkout.tasks.process_webhooks": 10,
        "shop.checkout.tasks.reconcile_payments": 60,
        "notifications.tasks.dispatch_messages": dispatch_seconds,
        "notifications.tasks.send_reminders": dispatch_seconds,
        "notifications.tasks.send_saved_news": dispatch_seconds,
        "notifications.tasks.find_saved_news": 300,
        "notifications.tasks.detect_idle_carts": scan_seconds,
        "notifications.tasks.sweep_idle_carts": 3_600,
        "notifications.tasks.follow_events": 300,
        "notifications.tasks.count_reports": 300,
        "notifications.tasks.apply_mail_events": 30,
        "notifications.tasks.forget_old": 86_400,
        "shop.watch.tasks.check_shop": 300,
        "shop.watch.tasks.count_figures": 60,
        "cart.tasks.prune_records": 86_400,
    }
    return {
        task: {"task": task, "schedule": schedule(seconds), "options": {"expires": seconds}}
        for task, seconds in periods.items()
    }
