"""One process of the soak (`python -m tests.races.soak SEED STOP`): all that customers and staff do to the stock.

It says `done` after each act, and comes for the last unit when there is a file STOP.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import django

SKU_IDS = [f"SKU-{number}" for number in range(6)]


def main(seed: int, stop: Path) -> None:
    """Reserve, change, sell, release, renew, pin, sweep and adjust at random."""
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.places import list_locations  # noqa: PLC0415
    from inventory.types import StockDemand  # noqa: PLC0415
    from shop.core.errors import Refusal  # noqa: PLC0415

    chance = random.Random(seed)
    mine: list[str] = []
    while not stop.exists():
        act = chance.choice(["reserve"] * 5 + ["commit", "release", "renew", "pin", "sweep", "adjust"])
        try:
            if act == "reserve":
                # Three processes share the owners: some ask at once for different things.
                wanted = [StockDemand(sku_id, chance.randint(1, 3)) for sku_id in chance.sample(SKU_IDS, 3)]
                life = chance.choice([-1, 0, 1, 600])
                view = inventory.reserve(demands=wanted, owner=f"chk_{chance.randint(1, 12)}", ttl_seconds=life)
                mine = [*mine[-8:], view.reservation_id]
            elif act == "sweep":
                inventory.sweep(batch=chance.randint(1, 5))
            elif act == "adjust":
                delta = chance.choice([-3, -1, 1, 4])
                where = chance.choice(["", *(location.code for location in list_locations())])
                sku_id = chance.choice(SKU_IDS)
                inventory.adjust(sku_id=sku_id, delta=delta, reason="correction", by=None, location=where)
            elif mine:
                reservation_id = chance.choice(mine)
                if act == "commit":
                    inventory.commit(reservation_id=reservation_id)
                elif act == "release":
                    inventory.release(reservation_id=reservation_id, cause="cancelled")
                elif act == "renew":
                    inventory.renew(reservation_id=reservation_id)
                else:
                    inventory.pin(reservation_id=reservation_id, seconds=30)
            sys.stdout.write("done\n")
            sys.stdout.flush()
        except Refusal:
            continue  # a refusal is an answer; anything else ends the process, and the test


def grab(seed: int) -> int:
    """Be 25 buyers of the last unit, one after another; return how many got it."""
    from inventory import services as inventory  # noqa: PLC0415 - after django.setup()
    from inventory.errors import InsufficientStockError  # noqa: PLC0415
    from inventory.types import StockDemand  # noqa: PLC0415
    from shop.core.errors import UnavailableError  # noqa: PLC0415

    got = 0
    for number in range(25):
        try:
            inventory.reserve(demands=[StockDemand("LAST", 1)], owner=f"chk_last_{seed}_{number}")
            got += 1
        except (InsufficientStockError, UnavailableError):
            continue
    return got


if __name__ == "__main__":
    django.setup()
    seed = int(sys.argv[1])
    main(seed, Path(sys.argv[2]))
    sys.stdout.write(f"got {grab(seed)}\n")
