"""Ways to reserve three SKUs, ours and its rivals, and the clients that do it: processes with threads.

The rivals (`FOR UPDATE` with the check in Python; a row a unit with `SKIP LOCKED`) live here and nowhere else.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
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
PROCESSES, THREADS = 4, 8
SKUS = 600
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


def cart(chance: random.Random, *, hot: bool) -> list[str]:
    """Choose three SKUs, one of them HOT if so wanted."""
    cold = [f"SKU-{number:04d}" for number in chance.sample(range(SKUS), 2 if hot else 3)]
    return sorted([*cold, "HOT"] if hot else cold)


def _floor(owner: str, sku_ids: list[str]) -> None:
    """Make one round trip that asks for nothing: what the clients and the wire cost alone."""
    from shop.core.db import prepared  # noqa: PLC0415 - after django.setup()

    prepared("SELECT %s, %s::text[]", [owner, sku_ids])


def ours(owner: str, sku_ids: list[str]) -> None:
    """Reserve as the shop does."""
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
    "spread": ("one statement, all SKUs different", ours, False, False),
    "plain": ("one statement, one SKU hot", ours, True, False),
    "lane": ("decided together, one SKU hot", ours, True, True),
    "checkout_spread": ("in a checkout's transaction, all SKUs different", _checkout, False, False),
    "checkout_plain": ("in a checkout's transaction, one SKU hot", _checkout, True, False),
    "checkout_lane": ("in a checkout's transaction, decided together ahead of it", _checkout, True, True),
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
                act(f"{case[:9]}_{chance.getrandbits(90):x}", cart(chance, hot=is_hot))
        begins.wait(60)
        while (began := time.monotonic()) < until:
            try:
                act(f"{case[:9]}_{chance.getrandbits(90):x}", cart(chance, hot=is_hot))
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


def run(case: str, seconds: float, environment: Mapping[str, str]) -> Rate:
    """Let the clients of a case reserve for so long, all at once."""
    argv = [sys.executable, "-m", "tests.bench.reserving", case, str(seconds)]
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


if __name__ == "__main__":
    _work(sys.argv[1], float(sys.argv[2]))
