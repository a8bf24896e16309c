"""One process of a race (`python -m tests.races.process ACT …`): it gets ready, says so, and begins with all others.

`buy SKU THREADS TURNS` reserves one unit at a time, `sell OWNER…` sells what these owners have reserved, `sweep`
sweeps one reservation at a time until none is overdue. Each writes how often what came of it, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import django

GATE = 4_711_000
"""The number of an advisory lock: while the test has it, everybody waits."""


def _act(name: str, arguments: list[str]) -> Counter[str]:
    """Do what the command line says; count the names of what came of it."""
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.models import Reservation  # noqa: PLC0415
    from inventory.selectors import oldest_overdue_seconds  # noqa: PLC0415
    from inventory.types import StockDemand  # noqa: PLC0415
    from shop.core.errors import Refusal  # noqa: PLC0415
    from tests.races.rivals import meet  # noqa: PLC0415

    def told(act: Callable[[], object]) -> str:
        try:
            return type(act()).__name__
        except Refusal as refusal:
            return type(refusal).__name__

    if name == "buy":
        sku_id, threads, turns = arguments[0], int(arguments[1]), int(arguments[2])

        def buy(number: int) -> list[str]:
            owners = [f"chk_{os.getpid()}_{number}_{turn}" for turn in range(turns)]
            wanted = [StockDemand(sku_id, 1)]
            return [told(lambda owner=owner: inventory.reserve(demands=wanted, owner=owner)) for owner in owners]  # type: ignore[misc]

        with together():
            return Counter(one for answers in meet(threads, buy) for one in answers)  # type: ignore[union-attr]
    ids = list(Reservation.objects.filter(owner__in=arguments).order_by("owner").values_list("id", flat=True))
    with together():
        if name == "sell":
            return Counter(told(lambda one=one: inventory.commit(reservation_id=one)) for one in ids)  # type: ignore[misc]
        swept = 0
        while oldest_overdue_seconds() > 0:
            swept += inventory.sweep(batch=1)
        return Counter(swept=swept)


@contextmanager
def together() -> Iterator[None]:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from tests.races.rivals import be_patient  # noqa: PLC0415

    be_patient()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock_shared({GATE})")
    yield


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(f"told {json.dumps(_act(sys.argv[1], sys.argv[2:]))}\n")
