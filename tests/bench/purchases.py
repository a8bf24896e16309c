"""Whole purchases through the API, by several processes of real HTTP clients."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

STEPS = ("add", "start", "address", "pay")
ADDRESS = {"name": "Ada Bench", "line1": "1 Test Row", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}


@dataclass(frozen=True, slots=True)
class Purchases:
    """What the buyers saw: orders a second, and the 95th percentile of each step in ms."""

    per_second: float
    p95_ms: Mapping[str, float]
    failures: tuple[str, ...]


class _Buyer:
    """One client with one connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.times: dict[str, list[float]] = {step: [] for step in STEPS}

    def ask(self, step: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[Any, Any]:
        """Send one request; return the answer's body and headers.

        :raises RuntimeError: if it is refused.
        """
        began = time.perf_counter()
        sent = {"Content-Type": "application/json", **headers}
        self._connection.request(method, f"/api/v1{path}", json.dumps(body), sent)
        answer = self._connection.getresponse()
        text = answer.read()
        self.times[step].append((time.perf_counter() - began) * 1000)
        if answer.status >= http.client.BAD_REQUEST:
            msg = f"{method} {path}: {answer.status} {text[:300]!r}"
            raise RuntimeError(msg)
        return json.loads(text), answer.headers

    def buy(self, sku_id: str) -> None:
        """Fill a cart of one line, check out, pay."""
        _, headers = self.ask("add", "PUT", f"/cart/items/{sku_id}", {"quantity": 1}, {})
        session = {"Cart-Session": headers["Cart-Session"]}
        keyed = {**session, "If-Match": headers["ETag"], "Idempotency-Key": str(uuid.uuid4())}
        checkout, headers = self.ask("start", "POST", "/checkouts", {"email": "bench@example.com"}, keyed)
        path = f"/checkouts/{checkout['id']}"
        delivery = {"email": "bench@example.com", "shipping_address": ADDRESS}
        checkout, _ = self.ask("address", "PATCH", path, delivery, {**session, "If-Match": headers["ETag"]})
        payment = {
            "method": "fake",
            "provider_token": "ok",
            "expected_total": checkout["totals"]["total"]["amount"],
        }
        keyed = {**session, "Idempotency-Key": str(uuid.uuid4())}
        self.ask("pay", "POST", f"{path}/payments", payment, keyed)


def _work(url: str, sku_ids: list[str], until: float, results: Any) -> None:
    buyer, orders, number = _Buyer(url), 0, 0
    failures: list[str] = []
    while time.time() < until and len(failures) < len(STEPS):
        try:
            buyer.buy(sku_ids[number % len(sku_ids)])
            orders += 1
        except (RuntimeError, KeyError, OSError) as error:
            failures.append(repr(error))
        number += 1
    results.put((orders, buyer.times, failures))


def run(url: str, sku_ids: list[str], *, seconds: int, buyers: int) -> Purchases:
    """Let `buyers` processes buy for `seconds`; each takes the SKUs in an order of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    until = time.time() + seconds + 1
    processes = [
        context.Process(target=_work, args=(url, sku_ids[n:] + sku_ids[:n], until, results)) for n in range(buyers)
    ]
    began = time.time() + 1
    for process in processes:
        process.start()
    found = [results.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    times = {step: sorted(t for _, all_times, _ in found for t in all_times[step]) for step in STEPS}
    return Purchases(
        per_second=sum(orders for orders, _, _ in found) / (time.time() - began),
        p95_ms={step: statistics.quantiles(some, n=20)[-1] if len(some) > 1 else 0.0 for step, some in times.items()},
        failures=tuple(failure for _, _, failures in found for failure in failures),
    )
