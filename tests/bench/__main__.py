"""`make bench`: measure the goals that have a number, print them, write docs/benchmarks.md.

Each case runs at least three times, alternating with its floor, and its median counts. wrk makes the load and shares
the machine's cores with what it measures: read the ratios, not the rates.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import redis

from tests.bench import carts, purchases, reminders, reporting, sending, stack, stock
from tests.bench.load import Rate, Request, median, run_wrk

REPORT = stack.ROOT / "docs" / "benchmarks.md"
ROUNDS = 3
LINES = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    rate: Rate
    ratio: float | None
    goal: str
    is_met: bool | None


def _call(url: str, method: str, body: Any, headers: dict[str, str]) -> tuple[Any, Any]:
    request = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read()), answer.headers


def _expect_unchanged(request: Request) -> None:
    """See that what was measured as 304 is 304.

    :raises RuntimeError: if it is not.
    """
    try:
        with urllib.request.urlopen(
            urllib.request.Request(request.url, headers=dict(request.headers or {})), timeout=30
        ) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    if status != HTTPStatus.NOT_MODIFIED:
        msg = f"measured answers of {status} for 304"
        raise RuntimeError(msg)


def plentiful_skus(shop: str) -> list[str]:
    """Take 120 SKUs of which so much is there that no run of purchases buys them up."""
    found: list[str] = []
    cursor = ""
    while len(found) < 120:
        page, _ = _call(f"{shop}/api/v1/skus?limit=100{cursor}", "GET", None, {})
        found += [sku["sku_id"] for sku in page["items"] if sku["availability"]["buyable"] >= 60]
        cursor = f"&cursor={page['next_cursor']}"
        if not page["next_cursor"]:
            break
    return found


def make_cart(shop: str, sku_ids: Sequence[str]) -> str:
    """Make a guest's cart with one unit of each SKU; return its session."""
    session = ""
    for position, sku_id in enumerate(sku_ids):
        headers = {"Cart-Session": session} if position else {}
        _, answered = _call(f"{shop}/api/v1/cart/items/{sku_id}", "PUT", {"quantity": 1}, headers)
        session = session or answered["Cart-Session"]
    return session


def alternate(cases: dict[str, Request], *, seconds: int) -> dict[str, Rate]:
    """Run all cases in turn, `ROUNDS` times, after one short round to warm up."""
    for request in cases.values():
        run_wrk(request, seconds=1)
    runs: dict[str, list[Rate]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, request in cases.items():
            runs[name].append(run_wrk(request, seconds=seconds))
            print(f"  {name}: {runs[name][-1].per_second:,.0f}/s", flush=True)  # noqa: T201
    return {name: median(rates) for name, rates in runs.items()}


def _measure(running: stack.Stack, *, seconds: int) -> list[Row]:
    """Measure reads, changes and pages against the floor."""
    shop, sku_ids = running.shop, plentiful_skus(running.shop)
    redis.Redis.from_url(running.environment["CART_REDIS_URL"]).hset(
        stack.FLOOR_KEY,
        mapping={f"SKU-{n}": json.dumps({"quantity": 1, "price_at_add": 1400}) for n in range(10)},
    )
    sessions = {lines: make_cart(shop, sku_ids[:lines]) for lines in LINES}
    head = {lines: {"Cart-Session": session} for lines, session in sessions.items()}
    _, answered = _call(f"{shop}/api/v1/cart", "GET", None, head[10])
    # A cart of its own, or the reads' ETag would be an old one by the second round.
    changed = {"Cart-Session": make_cart(shop, sku_ids[:10])}
    change = f"{shop}/api/v1/cart/items/{sku_ids[0]}"
    quantities = tuple(json.dumps({"quantity": n}) for n in range(1, 9))
    json_body = {"Content-Type": "application/json"}
    page = {lines: {"Cookie": f"cart_session={session}"} for lines, session in sessions.items()}
    cases = {
        "floor": Request(f"{running.floor}/floor"),
        "floor of a change": Request(f"{running.floor}/asking?sku_id={sku_ids[0]}", "PUT", json_body, quantities),
        "P1 GET /api/v1/cart, 10 lines": Request(f"{shop}/api/v1/cart", headers=head[10]),
        "P4 the same, 304": Request(f"{shop}/api/v1/cart", headers={**head[10], "If-None-Match": answered["ETag"]}),
        "P2 PUT /api/v1/cart/items/{sku}": Request(change, "PUT", {**json_body, **changed}, quantities),
        "P3 GET /cart/, 10 lines": Request(f"{shop}/cart/", headers=page[10]),
        "P3 GET /cart/, 1 line": Request(f"{shop}/cart/", headers=page[1]),
        "P3 GET /cart/, 100 lines": Request(f"{shop}/cart/", headers=page[100]),
        "GET / (24 products)": Request(f"{shop}/"),
    }
    rates = alternate(cases, seconds=seconds)
    _expect_unchanged(cases["P4 the same, 304"])
    base = rates["floor"].per_second
    goals = {"P1": 0.60, "P4": 0.80, "P2": 0.40, "P3 GET /cart/, 10 lines": 0.10}
    rows = []
    for name, rate in rates.items():
        goal = next((value for start, value in goals.items() if name.startswith(start)), None)
        ratio = rate.per_second / base
        rows.append(Row(name, rate, ratio, f"≥ {goal:.2f}" if goal else "", ratio >= goal if goal else None))
    change_ratio = rates["P2 PUT /api/v1/cart/items/{sku}"].per_second / rates["floor of a change"].per_second
    rows.append(Row("P2 / floor of a change", Rate(0, 0, 0), change_ratio, "≥ 0.40", change_ratio >= goals["P2"]))
    cost = rates["P3 GET /cart/, 1 line"].per_second / rates["P3 GET /cart/, 100 lines"].per_second
    rows.append(Row("P3 cost of 100 lines / cost of 1 line", Rate(0, 0, 0), cost, "≤ 3", cost <= 3))
    return rows


def _table(rows: list[Row]) -> list[str]:
    lines = ["| case | per second | ratio to floor | p99 ms | errors | goal | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.is_met]
        rate = f"{row.rate.per_second:,.0f}" if row.rate.per_second else ""
        p99 = f"{row.rate.p99_ms:,.1f}" if row.rate.p99_ms else ""
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        lines.append(f"| {row.name} | {rate} | {ratio} | {p99} | {row.rate.errors or ''} | {row.goal} | {met} |")
    return lines


def _purchase_lines(found: purchases.Purchases, buyers: int) -> list[str]:
    steps = ", ".join(f"{step} {ms:,.0f} ms" for step, ms in found.p95_ms.items())
    return [
        (
            f"- P7, whole purchases through the API (add, start, address, pay) by {buyers} buyers: "
            f"**{found.per_second:,.0f} orders/s** (goal: 80); p95: {steps} (goal: 250 ms each); "
            f"{len(found.failures)} failed."
        ),
    ]


def _process_line(running: stack.Stack) -> str:
    """Tell what the web server takes, after all of the load."""
    memory = ", ".join(f"{megabytes:,.0f} MB" for megabytes in running.megabytes())
    return (
        f"- P13, after this load: **{memory}** resident, a process (goal: 120); first answer "
        f"**{running.start_seconds:.1f} s** after the start (goal: 2)."
    )


def main() -> int:
    """Run what is asked for; return 1 if something failed (a missed goal is reported, not a failure)."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long each run of a case takes")
    parser.add_argument("--buyers", type=int, default=8, help="how many buyers buy at once")
    parser.add_argument("--carts", type=int, default=20_000, help="over how many carts memory is measured")
    parser.add_argument("--backlog", type=int, default=100_000, help="how many events the recorder catches up with")
    parser.add_argument("--idle", type=int, default=1_000_000, help="how many idle carts are looked for")
    parser.add_argument("--events", type=int, default=1_000_000, help="over how many events a report is counted")
    parser.add_argument("--mails", type=int, default=3_000, help="how many reminders are sent")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk): nothing was measured.")  # noqa: T201
        return 0
    reports: list[str] = []
    failures: tuple[str, ...] = ()
    for server in stack.SERVERS:
        print(f"{server}:", flush=True)  # noqa: T201
        with stack.running(server=server, background=True) as running:
            rows = _measure(running, seconds=options.seconds)
            found = purchases.run(running.shop, plentiful_skus(running.shop), seconds=15, buyers=options.buyers)
            process = _process_line(running)
        failures += found.failures
        reports += [f"## {server}", "", *_table(rows), "", *_purchase_lines(found, options.buyers), process, ""]
        _write(reports)
    print("carts:", flush=True)  # noqa: T201
    reports += carts.report(carts.run(carts=options.carts, backlog=options.backlog))
    _write(reports)
    print("stock:", flush=True)  # noqa: T201
    reports += stock.alone(seconds=options.seconds)
    _write(reports)
    print("reminders:", flush=True)  # noqa: T201
    reports += reminders.report(reminders.run(carts=options.idle))
    _write(reports)
    reports += sending.report(sending.run(mails=options.mails))
    reports += reporting.report(reporting.run(events=options.events))
    _write(reports)
    print(REPORT.read_text(encoding="utf-8"), *failures[:5], sep="\n")  # noqa: T201
    return 1 if failures else 0


def _write(reports: Sequence[str]) -> None:
    """Write what is known so far: a part that fails costs nothing of those before it."""
    REPORT.write_text("\n".join([*_heading(), *reports]), encoding="utf-8")


def _heading() -> list[str]:
    cores = os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in ("django", "granian", "gunicorn", "redis", "psycopg"))
    today = datetime.now(tz=UTC).date()
    return [
        "# Benchmarks",
        "",
        (
            "Written by `make bench`. Rates are noise on a shared machine and the load generator takes part of it: "
            "read the ratios. The floor is a bare Django view with one `HGETALL` of ten fields behind the same "
            "server; the floor of a change is such a view that asks PostgreSQL twice by primary key and lets a script "
            "write a field: what a change has to wait for, and nothing else."
        ),
        "",
        (
            f"{today}, {cores} cores, {platform.machine()}, Python {platform.python_version()}, {versions}; "
            f"{stack.WORKERS} processes of {stack.THREADS} threads; median of {ROUNDS} runs of each case, in turn."
        ),
        "",
    ]


if __name__ == "__main__":
    sys.exit(main())
