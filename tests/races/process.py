"""One process of a race (`python -m tests.races.process ACT …`): it gets ready, says so, and begins with all others.

`buy SKU THREADS TURNS` reserves one unit at a time · `shop THREADS TURNS` reserves 12 of 16 SKUs in any order ·
`sell OWNER…` `release OWNER…` `renew OWNER…` end or move what these owners have reserved, from the first to the last ·
`sweep` sweeps one reservation at a time until each is over or renewed · `count SKU TURNS` counts one unit more than a
page showed a moment before. Each writes how often what came of it, as JSON. What `RACE_CARELESS` names is done without
its guard: so a twin looks.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import django

T = TypeVar("T")

GATE = 4_711_000
"""The number of an advisory lock: while the test has it, everybody waits."""
SKU_IDS = tuple(f"SKU-{number:02d}" for number in range(16))

CARELESS = {
    "shop": ("reserving", "RESERVE", "ORDER BY s.sku_id FOR UPDATE", "ORDER BY md5(s.sku_id || %(owner)s) FOR UPDATE"),
    "sell": ("ending", "COMMIT", "AND r.state = 'soft'", ""),
    "release": ("ending", "RELEASE", "AND r.state = 'soft'", ""),
    "sweep": ("ending", "SWEEP_BATCH", "FOR UPDATE SKIP LOCKED", ""),
    "count": (
        "adjusting",
        "ADJUST",
        "SET on_hand = s.on_hand + %(delta)s",
        "SET on_hand = (SELECT on_hand FROM inventory_stockitem WHERE sku_id = %(sku_id)s) + %(delta)s",
    ),
}
"""Of each act: the module and the statement, the guard in it, and what stands there without."""


def buy(sku_id: str, threads: str, turns: str) -> Counter[str]:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.types import StockDemand  # noqa: PLC0415

    def one(number: int) -> Counter[str]:
        owners = [f"chk_{os.getpid()}_{number}_{turn}" for turn in range(int(turns))]
        wanted = [StockDemand(sku_id, 1)]
        return told(lambda owner: inventory.reserve(demands=wanted, owner=owner), owners)

    return _side_by_side(int(threads), one)


def shop(threads: str, turns: str) -> Counter[str]:
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from inventory import services as inventory  # noqa: PLC0415
    from inventory.types import StockDemand  # noqa: PLC0415
    from shop.core import db  # noqa: PLC0415

    db.TRIES = 1  # a deadlock would be repeated, and not be seen

    def one(number: int) -> Counter[str]:
        chance = random.Random(f"{os.getpid()} {number}")
        with connection.cursor() as cursor:
            # Where we may, do not wait a second before PostgreSQL looks for a ring.
            cursor.execute(
                "SELECT set_config('deadlock_timeout', '10ms', false) WHERE current_setting('is_superuser') = 'on'"
            )

        def reserve_and_end(turn: int) -> object:
            wanted = [StockDemand(sku_id, 1) for sku_id in chance.sample(SKU_IDS, 12)]
            view = inventory.reserve(demands=wanted, owner=f"chk_{os.getpid()}_{number}_{turn}", ttl_seconds=60)
            if turn % 2:
                return inventory.release(reservation_id=view.reservation_id, cause="cancelled") and view
            return inventory.commit(reservation_id=view.reservation_id)

        return told(reserve_and_end, range(int(turns)))

    return _side_by_side(int(threads), one)


def sell(*owners: str) -> Counter[str]:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()

    ids = _reserved_by(owners)
    with together():
        return told(lambda one: inventory.commit(reservation_id=one), ids)


def release(*owners: str) -> Counter[str]:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()

    ids = _reserved_by(owners)
    with together():
        return told(lambda one: inventory.release(reservation_id=one, cause="cancelled"), ids)


def renew(*owners: str) -> Counter[str]:
    """Renew each at about the moment when it ends."""
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.models import Reservation  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415
    from shop.core.db import rows  # noqa: PLC0415

    def at_its_end(one: str) -> object:
        Reservation.objects.filter(pk=one).update(expires_at=clock.now() + timedelta(milliseconds=4))
        rows("SELECT pg_sleep(random() * 0.006)")
        return inventory.renew(reservation_id=one)

    ids = _reserved_by(owners)
    with together():
        return told(at_its_end, ids)


def sweep() -> Counter[str]:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.models import Reservation  # noqa: PLC0415

    swept = 0
    with together():
        while Reservation.objects.filter(state="soft", renewals=0).exists():
            swept += inventory.sweep(batch=1)
    return Counter(swept=swept)


def count(sku_id: str, turns: str) -> Counter[str]:
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.models import StockItem  # noqa: PLC0415

    def one_more(_: int) -> object:
        then = StockItem.objects.get(pk=sku_id).on_hand
        return inventory.recount(sku_id=sku_id, counted=then + 1, unshipped=0, on_hand_then=then, by=7)

    with together():
        return told(one_more, range(int(turns)))


def told(act: Callable[[T], object], ones: Sequence[T]) -> Counter[str]:
    """Do it with each, and count the names of what came of it."""
    from django.db import DatabaseError  # noqa: PLC0415 - after django.setup()

    from shop.core import db  # noqa: PLC0415
    from shop.core.errors import Refusal  # noqa: PLC0415

    def name(one: T) -> str:
        try:
            answer = act(one)
        except (Refusal, DatabaseError) as error:
            is_ring = error.__cause__ is not None and db.sqlstate(error.__cause__) == db.DEADLOCK_DETECTED
            return "deadlock" if is_ring else type(error).__name__
        return str(answer) if isinstance(answer, bool) else type(answer).__name__

    return Counter(name(one) for one in ones)


def _side_by_side(threads: int, one: Callable[[int], Counter[str]]) -> Counter[str]:
    from tests.races.rivals import meet  # noqa: PLC0415 - after django.setup()

    with together():
        return sum((answer for answer in meet(threads, one) if not isinstance(answer, Exception)), Counter())


def _reserved_by(owners: Sequence[str]) -> list[str]:
    from inventory.models import Reservation  # noqa: PLC0415 - after django.setup()

    ids = dict(Reservation.objects.filter(owner__in=owners).values_list("owner", "id"))
    return [ids[owner] for owner in owners]


@contextmanager
def together() -> Iterator[None]:
    """Say that this process is ready, and go on when the gate is open."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from tests.races.rivals import be_patient  # noqa: PLC0415

    be_patient()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock_shared({GATE})")
    yield


ACTS: dict[str, Callable[..., Counter[str]]] = {
    act.__name__: act for act in (buy, shop, sell, release, renew, sweep, count)
}


def be_careless(name: str) -> None:
    """Take the guard out of a statement, in this process."""
    module_name, statement, guard, instead = CARELESS[name]
    module = importlib.import_module(f"inventory.services.{module_name}")
    sql = getattr(module, statement)
    if guard not in sql:
        raise LookupError(guard)
    setattr(module, statement, sql.replace(guard, instead))


if __name__ == "__main__":
    django.setup()
    if careless := os.environ.get("RACE_CARELESS"):
        be_careless(careless)
    sys.stdout.write(f"told {json.dumps(ACTS[sys.argv[1]](*sys.argv[2:]))}\n")
