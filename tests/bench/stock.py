"""P6 and P10: reservations with one SKU hot in all carts, beside how others do it, and the sweep.

`python -m tests.bench.stock` runs it alone, on private servers; `make bench` takes it in.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import django

from shop.embedded import servers
from tests.bench import stack
from tests.bench.reserving import CASES, PROCESSES, SKUS, THREADS, Rate, cart, ours, run

ROUNDS = 3
PLENTY = 100_000_000
UNITS = 60_000
"""Rows of the rival that has a row a unit."""


def _prepare() -> None:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockitem (sku_id, on_hand, reserved)"
            " SELECT 'SKU-' || lpad(n::text, 4, '0'), %(plenty)s, 0 FROM generate_series(0, %(skus)s - 1) n"
            " UNION ALL SELECT 'HOT', %(plenty)s, 0 ON CONFLICT DO NOTHING",
            {"plenty": PLENTY, "skus": SKUS},
        )
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_unit (id bigserial PRIMARY KEY, sku_id text, owner text)")
        cursor.execute(
            "INSERT INTO bench_unit (sku_id) SELECT CASE WHEN n %% 3 = 0 THEN 'HOT' ELSE"
            " 'SKU-' || lpad((n %% %(skus)s)::text, 4, '0') END FROM generate_series(1, %(units)s) n",
            {"skus": SKUS, "units": UNITS},
        )
        cursor.execute("CREATE INDEX IF NOT EXISTS bench_unit_free ON bench_unit (sku_id, id) WHERE owner IS NULL")


def _heat(*, is_hot: bool) -> None:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()

    inventory.mark_hot(sku_id="HOT", is_hot=is_hot)


def _sweep(count: int) -> tuple[float, float, float]:
    """Let `count` reservations be overdue: a reservation's time before and with them (ms), and how fast they go."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from inventory import services as inventory  # noqa: PLC0415

    def reserve() -> float:
        chance, took = random.Random(7), []
        for _ in range(150):
            began = time.perf_counter()
            ours(f"sweep_{random.getrandbits(90):x}", cart(chance, hot=False))
            took.append((time.perf_counter() - began) * 1000)
        return median(took)

    inventory.sweep()
    before = reserve()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "WITH made AS ("
            " INSERT INTO inventory_reservation (id, owner, state, created_at, expires_at, renewals, cause)"
            " SELECT 'due_' || n, 'due_' || n, 'soft', now(), now() - interval '1 minute', 0, ''"
            " FROM generate_series(1, %(count)s) n RETURNING id), lines AS ("
            " INSERT INTO inventory_reservationline (reservation_id, sku_id, quantity, is_live)"
            " SELECT id, 'SKU-' || lpad((substr(id, 5)::int %% %(skus)s)::text, 4, '0'), 1, true FROM made"
            " RETURNING sku_id) UPDATE inventory_stockitem s SET reserved = reserved + l.units"
            " FROM (SELECT sku_id, count(*) AS units FROM lines GROUP BY sku_id) l WHERE l.sku_id = s.sku_id",
            {"count": count, "skus": SKUS},
        )
        cursor.execute("ANALYZE")
    amid = reserve()
    began = time.perf_counter()
    swept = inventory.sweep()
    return before, amid, swept / (time.perf_counter() - began)


def report(
    environment: Mapping[str, str], *, seconds: float, rounds: int = ROUNDS, overdue: int = 100_000
) -> list[str]:
    """Measure in a migrated database and give the lines of the report."""
    os.environ.update(environment)
    django.setup()
    _prepare()
    runs: dict[str, list[Rate]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case, (_, _, _, has_lane) in CASES.items():
            _heat(is_hot=has_lane)
            runs[case].append(run(case, seconds, environment))
            sys.stderr.write(f"  {case}: {runs[case][-1].per_second:,.0f}/s\n")
    _heat(is_hot=False)
    rates = {case: sorted(found, key=lambda rate: rate.per_second)[len(found) // 2] for case, found in runs.items()}
    base = rates["for_update"].per_second
    cores = os.cpu_count() or 1
    lane = rates["lane"]
    most = cores * 1000 / (lane.client_ms + lane.server_ms)
    lines = [
        "## Stock",
        "",
        (
            f"P6: carts of 3 SKUs, {PROCESSES * THREADS} clients in {PROCESSES} processes, median of {rounds} runs."
            " The clients share the cores with PostgreSQL: the floor is what they do if it has nothing to do."
        ),
        "",
        "| way | reservations/s | × FOR UPDATE | p50 ms | p99 ms | CPU ms: clients | PostgreSQL | failed |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {CASES[case][0]} | {rate.per_second:,.0f} | {rate.per_second / base:.2f} | {rate.p50_ms:,.1f}"
            f" | {rate.p99_ms:,.1f} | {rate.client_ms:.2f} | {rate.server_ms:.2f} | {rate.failed or ''} |"
            for case, rate in rates.items()
        ),
        "",
        (
            f"Hot, decided together, is {lane.per_second / rates['spread'].per_second:.2f} × all-different (goal: 0.9),"
            f" {lane.per_second / base:.1f} × FOR UPDATE (goal: 5). A reservation takes {lane.client_ms:.2f} ms of CPU"
            f" time of its clients and {lane.server_ms:.2f} ms of PostgreSQL: {cores} cores that do nothing else make"
            f" {most:,.0f}/s."
        ),
        "",
    ]
    before, amid, per_second = _sweep(overdue)
    return [
        *lines,
        (
            f"P10: the sweep ends **{per_second:,.0f} reservations/s** (goal: 5,000); amid {overdue:,} overdue ones a "
            f"reservation takes {amid:.2f} ms instead of {before:.2f} ms ({amid / before - 1:+.0%}, goal: < +20 %)."
        ),
        "",
    ]


def main() -> int:
    """Run it on servers of its own."""
    parser = argparse.ArgumentParser(prog="tests.bench.stock", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--overdue", type=int, default=100_000)
    options = parser.parse_args()
    sys.stdout.write("\n".join(alone(seconds=options.seconds, rounds=options.rounds, overdue=options.overdue)))
    return 0


def alone(*, seconds: float, rounds: int = ROUNDS, overdue: int = 100_000) -> list[str]:
    """Measure on servers of its own; the lines of the report."""
    with tempfile.TemporaryDirectory(prefix="trolley-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        with servers.running(path / "servers") as addresses:
            environment = {
                **addresses.environment(),
                "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
                "DEBUG": "false",
                "LOG_LEVEL": "ERROR",
                "DATA_DIR": str(path / "data"),
                "INVENTORY_HOT_AFTER_WAITS": "0",  # a case says itself what is hot
            }
            stack.manage(["migrate", "--verbosity=0"], environment)
            return report(environment, seconds=seconds, rounds=rounds, overdue=overdue)


if __name__ == "__main__":
    sys.exit(main())
