"""Reminders judged, rendered and handed over by one worker, with a mail server that answers at once.

`python -m tests.bench.sending` runs it alone on private servers; `make bench` takes it in. On a machine that others use
as well its CPU time tells more than its rate.
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
from pathlib import Path
from typing import Any

import django

from shop.embedded import servers
from tests.bench import cpu, killing


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    mails: int
    per_second: float
    worker_ms: float
    """The worker's CPU time for a mail."""
    postgresql_ms: float
    statements: float
    """For a mail, with its share of those for a batch; without begin and commit."""
    round_trips: float
    """To Redis, in the same way."""


def measure(*, mails: int) -> Figures:
    """Measure on the servers of this process's environment."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()
    from redis.connection import AbstractConnection  # noqa: PLC0415

    from cart import selectors as carts  # noqa: PLC0415
    from cart.types import CartRef  # noqa: PLC0415
    from notifications import services  # noqa: PLC0415
    from notifications.models import Abandonment  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    killing.prepare(mails)
    killing.warm_up()
    for user_id in Abandonment.objects.values_list("user_id", flat=True):
        carts.get_cart(ref=CartRef("u", str(user_id)))  # Redis has it, as it has all carts that are not old
    statements, trips, true_send = 0, 0, AbstractConnection.send_packed_command

    def count(execute: Any, *given: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*given)

    def send(self: AbstractConnection, *given: Any, **named: Any) -> None:
        nonlocal trips
        trips += 1
        true_send(self, *given, **named)  # type: ignore[no-untyped-call]

    AbstractConnection.send_packed_command = send  # type: ignore[method-assign]
    sent, began, worker, server = 0, time.perf_counter(), time.process_time(), cpu.server_seconds()
    with connection.execute_wrapper(count):
        while went := services.send_reminders(now=clock.now()):
            sent += went
    took, worker, server = time.perf_counter() - began, time.process_time() - worker, cpu.server_seconds() - server
    AbstractConnection.send_packed_command = true_send  # type: ignore[method-assign]
    return Figures(
        mails=sent,
        per_second=sent / took,
        worker_ms=worker / sent * 1_000,
        postgresql_ms=server / sent * 1_000,
        statements=statements / sent,
        round_trips=trips / sent,
    )


def run(*, mails: int) -> Figures:
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
                "EMAIL_URL": "memorymail://",
                "NOTIFICATIONS_RATE_PER_SECOND": "10000",
                "NOTIFICATIONS_RATE_PER_DOMAIN": "0",
            }
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v0"], cwd=killing.ROOT, env=environment, check=True
            )
            argv = [sys.executable, "-m", "tests.bench.sending", "--inside", f"--mails={mails}"]
            done = subprocess.run(argv, cwd=killing.ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return Figures(**json.loads(done.stdout))


def report(found: Figures) -> list[str]:
    """Put the figures into lines of Markdown."""
    return [
        (
            f"- Sending: one worker judged, rendered and handed over **{found.per_second:,.0f} reminders/s** "
            f"(goal: 100) to a mail server that answers at once; each {found.worker_ms:.1f} ms of its CPU time and "
            f"{found.postgresql_ms:.1f} ms of PostgreSQL's, {found.statements:.1f} statements besides begin and commit "
            f"(goal: 12 in all) and {found.round_trips:.2f} round trips to Redis."
        ),
        "",
    ]


def main() -> None:
    """Run alone, or inside of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=3_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        django.setup()
        print(json.dumps(asdict(measure(mails=options.mails))))  # noqa: T201
    else:
        print(*report(run(mails=options.mails)), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
