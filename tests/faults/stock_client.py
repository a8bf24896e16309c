"""One client of the stock, whatever happens to the database: `python -m tests.faults.stock_client NAME`.

It reserves and sells until it is told to end, and writes each answer.
"""

from __future__ import annotations

import signal
import sys
import threading

import django


def shop(name: str) -> None:
    """Reserve and sell one unit after another; ask again for what got no answer, as a customer would."""
    from django.db import close_old_connections  # noqa: PLC0415 - after django.setup()

    from inventory import services as inventory  # noqa: PLC0415
    from inventory.errors import ReservationUnknownError  # noqa: PLC0415
    from inventory.types import ReservationView, StockDemand  # noqa: PLC0415
    from shop.core.errors import UnavailableError  # noqa: PLC0415

    is_over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    number = 0
    demands = [StockDemand("MUG", 1), StockDemand("LAMP", 1)]
    view: ReservationView | None = None
    while not is_over.is_set():
        close_old_connections()  # as a request begins and ends
        try:
            view = view or inventory.reserve(demands=demands, owner=f"{name}_{number}")
            inventory.commit(reservation_id=view.reservation_id)
        except UnavailableError as refusal:
            sys.stdout.write(f"unavailable, again in {refusal.retry_after_seconds} s\n")
            is_over.wait(0.05)
        except ReservationUnknownError:  # answered, then lost: only by a server that is told not to wait for its log
            sys.stdout.write(f"lost {name}_{number}\n")
            number, view = number + 1, None
        else:
            sys.stdout.write(f"sold {name}_{number}\n")
            number, view = number + 1, None
        sys.stdout.flush()


if __name__ == "__main__":
    django.setup()
    shop(sys.argv[1])
