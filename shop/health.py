"""Whether this process lives, and whether the shop is ready: its servers, and how old undone work is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from cart import selectors as cart
from inventory import selectors as inventory
from notifications import selectors as notifications
from shop.checkout import watching as sales
from shop.core import clock, redis
from shop.core.conf import conf
from shop.core.db import rows
from shop.core.errors import UnavailableError

SKEW_SECONDS = 2
"""How far this machine's clock may be off the database's."""
_KEEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: well or not, and the number behind it."""

    is_ok: bool
    seconds: float | None = None
    limit: int | None = None
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        """Write it, without what there is nothing to say about."""
        found: dict[str, Any] = {"ok": self.is_ok}
        if self.seconds is not None:
            found["seconds"] = round(self.seconds, 1)
        if self.limit is not None:
            found["limit"] = self.limit
        if self.detail:
            found["detail"] = self.detail
        return found


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Answer: the process serves requests. Asks no server."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if all is well, else 503; either way what each check found, by name. Not for the public."""
    now = clock.now()
    checks: dict[str, Callable[[], Finding]] = {
        "postgresql": _postgresql,
        "migrations": _migrations,
        "clock": partial(_clock, now),
        "cart_redis": _cart_redis,
        "cache_redis": _cache_redis,
        "separate_redis": _separate_redis,
        "recorder": _recorder,
        "webhooks": lambda: _age(sales.backlog(now=now).webhooks_seconds),
        "payments": lambda: _age(sales.backlog(now=now).payments_seconds),
        "ordered_carts": lambda: _age(sales.backlog(now=now).carts_seconds),
        "messages": lambda: _age(notifications.oldest_due_seconds(now=now)),
        "overdue_reservations": lambda: _age(inventory.oldest_overdue_seconds()),
        "sweep": partial(_sweep, now),
    }
    found = {name: _run(check) for name, check in checks.items()}
    is_ready = all(finding.is_ok for finding in found.values())
    return JsonResponse(
        {"status": "ok" if is_ready else "not ready", "checks": {name: f.as_json() for name, f in found.items()}},
        status=200 if is_ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def _run(check: Callable[[], Finding]) -> Finding:
    """Run a check; a server that does not answer is what it found."""
    try:
        return check()
    except (DatabaseError, RedisError, UnavailableError) as error:
        return Finding(is_ok=False, detail=f"no answer ({type(error).__name__})")


def _age(seconds: float) -> Finding:
    limit = conf().ready_lag_seconds
    return Finding(is_ok=seconds <= limit, seconds=seconds, limit=limit)


def _postgresql() -> Finding:
    rows("SELECT 1", {})
    return Finding(is_ok=True)


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return Finding(is_ok=not pending, detail=f"{len(pending)} pending" if pending else "")


def _clock(now: datetime) -> Finding:
    (theirs,) = rows("SELECT clock_timestamp()", {})[0]
    skew = abs((theirs - now).total_seconds())
    return Finding(is_ok=skew <= SKEW_SECONDS, seconds=skew, limit=SKEW_SECONDS)


def _cart_redis() -> Finding:
    """Write: a demoted or full server still answers reads."""
    redis.call(settings.CART.redis_url, lambda client: client.set("readyz", "1", px=_KEEP_MS))
    policy = cart.eviction_policy()
    is_safe = policy in ("noeviction", "")
    return Finding(is_ok=is_safe, detail="" if is_safe else f"maxmemory-policy {policy} loses carts")


def _cache_redis() -> Finding:
    get_redis_connection("default").ping()
    return Finding(is_ok=True)


def _separate_redis() -> Finding:
    """Carts must not share a database with what may be flushed."""
    others = settings.CACHES["default"]["LOCATION"], settings.CELERY_BROKER_URL
    is_shared = redis.place_of(settings.CART.redis_url) in map(redis.place_of, others)
    return Finding(
        is_ok=not is_shared, detail="CART_REDIS_URL is also the cache's or the broker's" if is_shared else ""
    )


def _recorder() -> Finding:
    status = cart.recorder_status()
    if status.seen_at is None:
        return Finding(is_ok=False, detail="no sign of life")
    return _age(status.oldest_seconds)


def _sweep(now: datetime) -> Finding:
    swept_at = inventory.last_sweep_at()
    if swept_at is None:
        return Finding(is_ok=False, detail="never ran")
    limit = sweep_limit()
    seconds = max(0.0, (now - swept_at).total_seconds())
    return Finding(is_ok=seconds <= limit, seconds=seconds, limit=limit)


def sweep_limit() -> int:
    """Tell for how many seconds the sweep may not have come to its end: it may miss two turns."""
    return max(conf().ready_lag_seconds, 3 * settings.INVENTORY.sweep_seconds)
