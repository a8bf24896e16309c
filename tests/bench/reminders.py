"""P11: idle carts found and enrolled in one process, and messages claimed, on private servers.

`python -m tests.bench.reminders` runs it alone; `make bench` takes it in. Its carts are written by one statement: what
is measured is the search, not how they came about.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import django

from shop.embedded import servers
from tests.bench import cpu

ROOT = Path(__file__).resolve().parents[2]
CLAIMERS = 2
ENDS = 10
"""The first and the last so many batches are compared."""

USERS = """
INSERT INTO accounts_user (password, is_superuser, first_name, last_name, is_staff, is_active, date_joined, email)
SELECT '', false, '', '', n %% 1000 = 0, true, now(), 'c' || n || '@example.com' FROM generate_series(1, %s) n
"""
CARTS = """
INSERT INTO cart_cartrecord (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor,
                             currency, last_activity_at, state, recorded_at)
SELECT 'u:' || id, id, 1700000000000000 + id, 1700000000000000 + id,
       '[{"sku_id": "MUG", "quantity": 2, "price_at_add": 1200, "currency": "GBP", "added_at": 1700000000000000}]',
       '[]', '{}', '[]', 2, 2400, 'GBP', now() - interval '2 hours' - id % 3000000 * interval '25 milliseconds',
       'active', now()
  FROM accounts_user
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    carts: int
    enrolled: int
    seconds: float
    batch_ms: float
    """Median of a transaction."""
    slowest_ms: float
    flatness: float
    """The last batches' time by that of the first."""
    cpu_seconds: float
    """Of the process, in these seconds."""
    postgresql_seconds: float
    """CPU time, too."""
    memory_mb: float
    """By how much the process grew."""
    sweep_seconds: float
    """The same once more, with everybody enrolled."""
    claims_per_second: float
    claim_p99_ms: float


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _prepare(carts: int) -> None:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from notifications import services  # noqa: PLC0415
    from notifications.models import Campaign, Step, Variant  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(USERS, [carts])
        cursor.execute(CARTS)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    campaign = Campaign.objects.create(slug="bench", name="bench", holdout_bp=1_000)
    for key in ("a", "b"):
        Step.objects.create(variant=Variant.objects.create(campaign=campaign, key=key, weight_bp=5_000))
    services.start_campaign(campaign_id=campaign.pk, now=clock.now())
    Campaign.objects.update(activated_at=clock.now() - timedelta(days=10))


def _detect(*, is_sweep: bool) -> tuple[int, float, list[float]]:
    """Search until nothing is left; give how many were enrolled, in what time, and the time of each batch."""
    from notifications.services import detecting, enrolling  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    batches: list[float] = []
    true_write = enrolling.write

    def timed(*given: Any) -> int | None:
        batches.append(time.perf_counter())
        return true_write(*given)

    enrolling.write = timed  # type: ignore[assignment]
    began = time.perf_counter()
    try:
        enrolled = detecting.detect(now=clock.now(), is_sweep=is_sweep, budget_seconds=3_600)
    finally:
        enrolling.write = true_write
    took = time.perf_counter() - began
    return enrolled, took, [(after - before) * 1_000 for before, after in pairwise(batches)]


def _claim(seconds: float) -> list[float]:
    """Claim batches as a worker does, for so long; give the time of each statement."""
    from django.db import connection  # noqa: PLC0415

    from notifications.services import handing  # noqa: PLC0415
    from notifications.types import MessageKind  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    times, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        if len(handing.claim_ids(kind=MessageKind.RECOVERY, token=uuid.uuid4(), now=clock.now())) < handing.BATCH:
            break
        times.append((time.perf_counter() - began) * 1_000)
    connection.close()
    return times


def measure(*, carts: int) -> Figures:
    """Measure on the servers of this process's environment."""
    from notifications.services import handing  # noqa: PLC0415

    _prepare(carts)
    gc.freeze()  # as a worker's process does
    before, used, server = _peak(), time.process_time(), cpu.server_seconds()
    enrolled, took, batches = _detect(is_sweep=False)
    grown, used, server = _peak() - before, time.process_time() - used, cpu.server_seconds() - server
    _, again, _ = _detect(is_sweep=True)
    with ThreadPoolExecutor(CLAIMERS) as pool:
        began = time.perf_counter()
        claims = [ms for found in pool.map(_claim, [5.0] * CLAIMERS) for ms in found]
        claiming = time.perf_counter() - began
    edge = min(ENDS, max(1, len(batches) // 2))
    return Figures(
        carts=carts,
        enrolled=enrolled,
        seconds=took,
        batch_ms=median(batches),
        slowest_ms=max(batches),
        flatness=median(batches[-edge:]) / median(batches[:edge]),
        cpu_seconds=used,
        postgresql_seconds=server,
        memory_mb=grown,
        sweep_seconds=again,
        claims_per_second=len(claims) * handing.BATCH / claiming,
        claim_p99_ms=quantiles(claims, n=100)[-1],
    )


def run(*, carts: int) -> Figures:
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
                "LOG_LEVEL": "ERROR",
                "DATA_DIR": str(path / "data"),
            }
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            argv = [sys.executable, "-m", "tests.bench.reminders", "--inside", f"--carts={carts}"]
            done = subprocess.run(argv, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return Figures(**json.loads(done.stdout))


def report(found: Figures) -> list[str]:
    """Put the figures into lines of Markdown."""
    return [
        "## Reminders",
        "",
        (
            f"- P11, {found.enrolled:,} of {found.carts:,} idle carts found and enrolled by one process in "
            f"**{found.seconds:.1f} s** (goal: a million in 30 s; {found.cpu_seconds:.1f} s of its CPU time and "
            f"{found.postgresql_seconds:.1f} s of PostgreSQL's), which grew by {found.memory_mb:.0f} MB (goal: 100); "
            f"a batch: median {found.batch_ms:.0f} ms, slowest {found.slowest_ms:.0f} ms, the last {ENDS} "
            f"{found.flatness:.2f} × the first (goal: 1.5). The sweep over all of them, enrolled: "
            f"{found.sweep_seconds:.1f} s."
        ),
        (
            f"- P11, **{found.claims_per_second:,.0f} messages/s** claimed by {CLAIMERS} workers (goal: 10,000), "
            f"p99 of a claim {found.claim_p99_ms:.1f} ms (goal: 100)."
        ),
        "",
    ]


def main() -> None:
    """Run alone, or inside of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carts", type=int, default=1_000_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        django.setup()
        print(json.dumps(asdict(measure(carts=options.carts))))  # noqa: T201
    else:
        print(*report(run(carts=options.carts)), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
