"""A campaign's report over many events: how long a job counts, and how soon its page is there, on private servers.

`python -m tests.bench.reporting` runs it alone; `make bench` takes it in. The past is written by a few statements.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import django

from shop.embedded import servers
from tests.bench import cpu

ROOT = Path(__file__).resolve().parents[2]
PAGES = 40

EVENTS = """
INSERT INTO notifications_abandonment (cart_record_id, content_version, user_id, campaign_id, variant_id, is_holdout,
       state, close_reason, abandoned_at, enrolled_at, closed_at, currency, value_minor, order_number, order_minor,
       ordered_at)
SELECT -n, 1, n %% (%(events)s * 9 / 10) + 1, %(campaign)s, %(variant)s + n / 10 %% 2, n %% 10 = 0,
       'expired', 'window_over', t.at, t.at, t.at + interval '7 days', 'GBP', 1000 + n * 7919 %% 12000, '',
       CASE WHEN n * 31 %% 1000 < 100 THEN 1000 + n * 7919 %% 12000 ELSE 0 END,
       CASE WHEN n * 31 %% 1000 < 100 THEN t.at + (n * 17 %% 160) * interval '1 hour' END
  FROM generate_series(1::bigint, %(events)s) n
 CROSS JOIN LATERAL (SELECT now() - interval '8 days' - n * 104729 %% 80000 * interval '1 minute' AS at) t
"""
MESSAGES = """
INSERT INTO notifications_message (kind, template_key, order_number, payment_id, public_id, abandonment_id, step_id,
       step_no, state, reason, recipient, recipient_hash, attempts, deferrals, created_at, due_at, late_after,
       handed_at, sent_at)
SELECT 'recovery', 'cart_reminder', '', '', 'msg_' || a.id, a.id, s.id, 1,
       CASE WHEN a.is_holdout THEN 'ghost' ELSE 'sent' END, '', '', '', 1, 0, a.enrolled_at, a.enrolled_at,
       a.enrolled_at + interval '6 hours',
       CASE WHEN NOT a.is_holdout THEN a.enrolled_at END, CASE WHEN NOT a.is_holdout THEN a.enrolled_at END
  FROM notifications_abandonment a JOIN notifications_step s ON s.variant_id = a.variant_id
"""
TOUCHES = """
INSERT INTO notifications_touch (message_id, kind, visitor, source, at)
SELECT id, 'click', '', '', sent_at + interval '2 hours' FROM notifications_message WHERE state = 'sent' AND id %% 5 = 0
"""
ORDERS = """
INSERT INTO notifications_attribution (order_number, model, campaign_id, message_id, at, total_minor, currency)
SELECT 'o' || id, 'click', %s, id, sent_at + interval '3 hours', 2400, 'GBP'
  FROM notifications_message WHERE state = 'sent' AND id %% 50 = 0
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    events: int
    count_seconds: float
    postgresql_seconds: float
    page_ms: float
    page_p95_ms: float
    page_queries: int


def _prepare(events: int) -> None:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from notifications import services  # noqa: PLC0415
    from notifications.models import Campaign, Step, Variant  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    campaign = Campaign.objects.create(slug="bench", name="bench", holdout_bp=1_000)
    first, *_ = [Variant.objects.create(campaign=campaign, key=key, weight_bp=5_000) for key in ("a", "b")]
    for variant in campaign.variants.all():
        Step.objects.create(variant=variant)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=90))
    about = {"events": events, "campaign": campaign.pk, "variant": first.pk}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(EVENTS, about)
        cursor.execute(MESSAGES)
        cursor.execute(TOUCHES, [])
        cursor.execute(ORDERS, [campaign.pk])
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
        cursor.execute("RESET statement_timeout")


def measure(*, events: int) -> Figures:
    """Measure on the servers of this process's environment."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from notifications import services  # noqa: PLC0415
    from notifications.models import Campaign  # noqa: PLC0415
    from shop.accounts.models import User  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    _prepare(events)
    began, server = time.perf_counter(), cpu.server_seconds()
    if services.count_reports(now=clock.now()) != 1:
        raise RuntimeError("nothing was counted")
    counting, server = time.perf_counter() - began, cpu.server_seconds() - server
    client = Client()
    client.force_login(
        User.objects.create_superuser("bench@example.com", "bench"), backend="django.contrib.auth.backends.ModelBackend"
    )
    page, times = reverse("admin:notifications_campaign_report", args=[Campaign.objects.get().pk]), []
    queries = 0

    def counted(run: Any, *given: Any) -> Any:
        nonlocal queries
        queries += 1
        return run(*given)

    with connection.execute_wrapper(counted):
        answer = client.get(page)
    if "Against the hold-out" not in answer.content.decode():
        raise RuntimeError("the page shows nothing")
    for _ in range(PAGES):
        began = time.perf_counter()
        client.get(page)
        times.append((time.perf_counter() - began) * 1_000)
    return Figures(
        events=events,
        count_seconds=counting,
        postgresql_seconds=server,
        page_ms=median(times),
        page_p95_ms=quantiles(times, n=20)[-1],
        page_queries=queries,
    )


def run(*, events: int) -> Figures:
    """Start private servers, measure in a process of its own, and stop them."""
    with tempfile.TemporaryDirectory(prefix="trolley-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        with servers.running(path / "servers") as addresses:
            environment = {
                **os.environ,
                **addresses.environment(),
                "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
                "DEBUG": "false",
                "ALLOWED_HOSTS": "testserver",
                "LOG_LEVEL": "ERROR",
                "DATA_DIR": str(path / "data"),
            }
            for command in (["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]):
                subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
            argv = [sys.executable, "-m", "tests.bench.reporting", "--inside", f"--events={events}"]
            done = subprocess.run(argv, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return Figures(**json.loads(done.stdout))


def report(found: Figures) -> list[str]:
    """Put the figures into lines of Markdown."""
    return [
        (
            f"- The report of a campaign with {found.events:,} events and messages: counted by a job in "
            f"{found.count_seconds:.1f} s ({found.postgresql_seconds:.1f} s of PostgreSQL's CPU time); its page, in "
            f"the process: median {found.page_ms:.0f} ms, **p95 {found.page_p95_ms:.0f} ms** (goal: 400), "
            f"{found.page_queries} queries (goal: 12)."
        ),
        "",
    ]


def main() -> None:
    """Run alone, or inside of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        django.setup()
        print(json.dumps(asdict(measure(events=options.events))))  # noqa: T201
    else:
        print(*report(run(events=options.events)), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
