"""P6 and P10: reservations with one SKU hot in all carts, beside how others do it, and the sweep.

`python -m tests.bench.stock` runs it alone, on private servers; `make bench` takes it in. The rivals (`FOR UPDATE` with
the check in Python; a row a unit with `SKIP LOCKED`) live here and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import django

from tests.bench.cpu import server_seconds

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS, ROUNDS = 4, 8, 3
SKUS = 600
PLENTY = 100_000_000
UNITS = 60_000
"""Rows of the rival that has a row a unit."""
WARM = 12
"""Before it is measured a client reserves so often: then its statements are prepared, and their plans kept."""
STATEMENTS = 8
"""What a checkout's start does in its transaction besides reserving."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one case did, by all its clients together."""

    per_second: float
    p50_ms: float
    p99_ms: float
    client_ms: float
    """CPU time of the clients for one reservation."""
    server_ms: float
    """CPU time of PostgreSQL for one; it runs on this machine."""
    failed: int


def _cart(chance: random.Random, *, hot: bool) -> list[str]:
    cold = [f"SKU-{number:04d}" for number in chance.sample(range(SKUS), 2 if hot else 3)]
    return sorted([*cold, "HOT"] if hot else cold)


def _floor(owner: str, sku_ids: list[str]) -> None:
    """Make one round trip that asks for nothing: what the clients and the wire cost alone."""
    from shop.core.db import prepared  # noqa: PLC0415 - after django.setup()

    prepared("SELECT %s, %s::text[]", [owner, sku_ids])


def _ours(owner: str, sku_ids: list[str]) -> None:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.types import StockDemand  # noqa: PLC0415

    inventory.reserve(demands=[StockDemand(sku_id, 1) for sku_id in sku_ids], owner=owner)


def _checkout(owner: str, sku_ids: list[str]) -> None:
    """Reserve as a checkout's start does: in a transaction with other statements before and behind."""
    from django.db import transaction  # noqa: PLC0415 - after django.setup()

    from inventory import services as inventory  # noqa: PLC0415
    from inventory.types import StockDemand  # noqa: PLC0415
    from shop.core.db import rows  # noqa: PLC0415

    demands = [StockDemand(sku_id, 1) for sku_id in sku_ids]
    inventory.reserve_ahead(demands=demands, owner=owner)
    with transaction.atomic():
        for number in range(STATEMENTS):
            if number == STATEMENTS // 2:
                inventory.reserve(demands=demands, owner=owner)
            rows("SELECT 1")


def _for_update(owner: str, sku_ids: list[str]) -> None:
    from django.db import connection, transaction  # noqa: PLC0415 - after django.setup()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT sku_id, on_hand - reserved FROM inventory_stockitem WHERE sku_id = ANY(%s)"
            " ORDER BY sku_id FOR UPDATE",
            [sku_ids],
        )
        if any(available < 1 for _, available in cursor.fetchall()):
            raise RuntimeError(owner)
        for sku_id in sku_ids:
            cursor.execute("UPDATE inventory_stockitem SET reserved = reserved + 1 WHERE sku_id = %s", [sku_id])
        cursor.execute(
            "INSERT INTO inventory_reservation (id, owner, state, created_at, expires_at, renewals, cause)"
            " VALUES (%s, %s, 'soft', now(), now() + interval '10 minutes', 0, '')",
            [owner, owner],
        )
        for sku_id in sku_ids:
            cursor.execute(
                "INSERT INTO inventory_reservationline (reservation_id, sku_id, quantity, is_live)"
                " VALUES (%s, %s, 1, true)",
                [owner, sku_id],
            )


def _unit_rows(owner: str, sku_ids: list[str]) -> None:
    from django.db import connection, transaction  # noqa: PLC0415 - after django.setup()

    with transaction.atomic(), connection.cursor() as cursor:
        for sku_id in sku_ids:
            cursor.execute(
                "UPDATE bench_unit SET owner = %s WHERE id = (SELECT id FROM bench_unit"
                " WHERE sku_id = %s AND owner IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
                [owner, sku_id],
            )
            if cursor.rowcount != 1:
                raise RuntimeError(owner)
        cursor.execute(
            "INSERT INTO inventory_reservation (id, owner, state, created_at, expires_at, renewals, cause)"
            " VALUES (%s, %s, 'soft', now(), now() + interval '10 minutes', 0, '')",
            [owner, owner],
        )


CASES: dict[str, tuple[str, Callable[[str, list[str]], None], bool, bool]] = {
    # name: what it says in the table, how it reserves, whether a SKU is hot in all carts, whether it has a lane
    "floor": ("floor: a round trip that asks for nothing", _floor, False, False),
    "spread": ("one statement, all SKUs different", _ours, False, False),
    "plain": ("one statement, one SKU hot", _ours, True, False),
    "lane": ("the lane, one SKU hot", _ours, True, True),
    "checkout_spread": ("in a checkout's transaction, all SKUs different", _checkout, False, False),
    "checkout_plain": ("in a checkout's transaction, one SKU hot", _checkout, True, False),
    "checkout_lane": ("in a checkout's transaction, the lane ahead of it", _checkout, True, True),
    "for_update": ("rival: FOR UPDATE, check, update, insert; one SKU hot", _for_update, True, False),
    "unit_rows": ("rival: a row a unit, SKIP LOCKED; one SKU hot", _unit_rows, True, False),
}


def _work(case: str, seconds: float) -> None:
    """Be one process of a case: its threads reserve until time is up; print what they did."""
    django.setup()
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    _, act, is_hot, _ = CASES[case]
    until = used = 0.0

    def begin() -> None:
        nonlocal until, used
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()  # all processes begin together
        until, used = time.monotonic() + seconds, time.process_time()

    begins = threading.Barrier(THREADS, begin)

    def client(number: int) -> tuple[list[float], int]:
        chance = random.Random(f"{os.getpid()}-{number}")
        took, failed = [], 0
        for _ in range(WARM):
            with suppress(Exception):  # what is measured counts what fails
                act(f"{case[:9]}_{chance.getrandbits(90):x}", _cart(chance, hot=is_hot))
        begins.wait(60)
        while (began := time.monotonic()) < until:
            try:
                act(f"{case[:9]}_{chance.getrandbits(90):x}", _cart(chance, hot=is_hot))
                took.append((time.monotonic() - began) * 1000)
            except Exception as error:  # noqa: BLE001 - counted; a benchmark goes on
                failed += 1
                if failed == 1:
                    sys.stderr.write(f"{case}: {error!r}\n")
        connection.close()
        return took, failed

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(client, range(THREADS)))
    used = time.process_time() - used
    times = [round(ms, 2) for took, _ in found for ms in took]
    sys.stdout.write(json.dumps({"times": times, "used": used, "failed": sum(failed for _, failed in found)}))


def _run(case: str, seconds: float, environment: Mapping[str, str]) -> Rate:
    argv = [sys.executable, "-m", "tests.bench.stock", "--work", case, "--seconds", str(seconds)]
    clients = [
        subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for client in clients:
        if client.stdout is not None:
            client.stdout.readline()
    server = server_seconds()
    for client in clients:
        if client.stdin is not None:
            client.stdin.write("go\n")
            client.stdin.flush()
    answers = [json.loads(client.communicate()[0]) for client in clients]
    server = server_seconds() - server
    times = sorted(ms for answer in answers for ms in answer["times"]) or [0.0]
    return Rate(
        per_second=len(times) / seconds,
        p50_ms=median(times),
        p99_ms=times[int(len(times) * 0.99)],
        client_ms=sum(answer["used"] for answer in answers) * 1000 / len(times),
        server_ms=server * 1000 / len(times),
        failed=sum(answer["failed"] for answer in answers),
    )


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
            _ours(f"sweep_{random.getrandbits(90):x}", _cart(chance, hot=False))
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
            runs[case].append(_run(case, seconds, environment))
            sys.stderr.write(f"  {case}: {runs[case][-1].per_second:,.0f}/s\n")
    _heat(is_hot=False)
    rates = {case: sorted(found, key=lambda rate: rate.per_second)[len(found) // 2] for case, found in runs.items()}
    base = rates["for_update"].per_second
    cores = os.cpu_count() or 1
    ours = rates["lane"]
    most = cores * 1000 / (ours.client_ms + ours.server_ms)
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
            f"Hot, in the lane, is {ours.per_second / rates['spread'].per_second:.2f} × all-different (goal: 0.9), "
            f"{ours.per_second / base:.1f} × FOR UPDATE (goal: 5). A reservation in the lane takes {ours.client_ms:.2f}"
            f" ms of CPU time of its clients and {ours.server_ms:.2f} ms of PostgreSQL: {cores} cores that do nothing "
            f"else make {most:,.0f}/s."
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
    """Run a worker, or all of it on servers of its own."""
    parser = argparse.ArgumentParser(prog="tests.bench.stock", description=__doc__)
    parser.add_argument("--work", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--overdue", type=int, default=100_000)
    options = parser.parse_args()
    if options.work:
        _work(options.work, options.seconds)
        return 0
    sys.stdout.write("\n".join(alone(seconds=options.seconds, rounds=options.rounds, overdue=options.overdue)))
    return 0


def alone(*, seconds: float, rounds: int = ROUNDS, overdue: int = 100_000) -> list[str]:
    """Measure on servers of its own; the lines of the report."""
    from shop.embedded import servers  # noqa: PLC0415 - a worker starts none
    from tests.bench import stack  # noqa: PLC0415

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
            }
            stack.manage(["migrate", "--verbosity=0"], environment)
            return report(environment, seconds=seconds, rounds=rounds, overdue=overdue)


if __name__ == "__main__":
    sys.exit(main())
