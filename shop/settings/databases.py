"""DATABASE_URL and its time-outs as Django's DATABASES."""

from __future__ import annotations

from typing import Any

import environ


def database(env: environ.Env, url: str, *, is_pooled: bool) -> dict[str, Any]:
    """Read the PostgreSQL server at `url`, with the time-outs and pool that the environment asks for.

    The time-outs keep one stuck session from holding up the shop: a statement 5 s, a wait for a lock 3 s,
    a transaction that does nothing 10 s. Commands that rewrite whole tables have others (manage.py).

    Behind PgBouncer in transaction mode (`DATABASE_PGBOUNCER=true`) a session is not ours: no pool of our own, no
    prepared statements, no server-side cursors, and the time-outs belong on the role (`ALTER ROLE … SET`).
    """
    config = dict(env.db_url_config(url))
    options: dict[str, Any] = dict(config.pop("OPTIONS", {}))
    config["ENGINE"] = "shop.core.postgresql"
    # A socket directory can only stand in the query of a URL; Django's own tools look for it in HOST.
    config["HOST"] = options.pop("host", config.get("HOST", ""))
    config["PORT"] = options.pop("port", config.get("PORT", ""))
    config |= {"ATOMIC_REQUESTS": False, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    if env.bool("DATABASE_PGBOUNCER", False):
        return config | {"DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": options | {"prepare_threshold": None}}
    limits = {
        "statement_timeout": env.int("DATABASE_STATEMENT_TIMEOUT_MS", 5_000),
        "lock_timeout": env.int("DATABASE_LOCK_TIMEOUT_MS", 3_000),
        "idle_in_transaction_session_timeout": env.int("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", 10_000),
    }
    # What `shop.core.db.prepared` runs for the sixth time on a connection keeps its plan. Left to itself PostgreSQL
    # plans most of it anew each time, at several times the cost of running it: seeing how short a list of SKUs is, it
    # takes the kept plan, which it thinks is for ten, for dearer.
    options.setdefault("prepare_threshold", 5)
    settings = {**limits, "plan_cache_mode": "force_generic_plan"}
    options["options"] = " ".join(f"-c {name}={value}" for name, value in settings.items())
    options.setdefault("connect_timeout", 3)
    size = env.int("DATABASE_POOL_SIZE", 8)
    if is_pooled and size:
        options["pool"] = {"min_size": 1, "max_size": size, "timeout": 5, "max_idle": 300}
    return config | {"OPTIONS": options}
