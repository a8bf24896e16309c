"""Run the recorder: writes carts from Redis through to PostgreSQL. As many as wanted may run at once."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cart import recorder
from cart.checks import carts_are_never_evicted


class Command(BaseCommand):
    """Ends in order on SIGTERM and Ctrl-C: the batch in hand is finished."""

    help = "Write cart events from Redis through to PostgreSQL, until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="record what is waiting, then end")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's
        for fault in carts_are_never_evicted():
            raise CommandError(fault.msg)
        if options["once"]:
            self.stdout.write(f"Recorded {recorder.drain()} cart events.")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Recording cart events.")
        recorded = recorder.run(should_stop=stop.is_set, sleep=stop.wait)
        self.stdout.write(f"Stopped. Recorded {recorded} cart events.")
