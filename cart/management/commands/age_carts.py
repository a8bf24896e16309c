"""`manage.py age_carts --hours 2`: make carts look as if nobody had touched them for so long."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cart import idle


class Command(BaseCommand):
    """Age the recorded carts of customers, to see reminders without waiting for them."""

    help = "Make customers' carts look so many hours older. For a developer's machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the hours."""
        parser.add_argument("--hours", type=float, default=2)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Age them.

        :raises CommandError: if this is a production server.
        """
        if settings.SETTINGS_MODULE.endswith(".prod"):
            raise CommandError("Carts tell when people were here: not on a production server.")
        done = idle.age_records(seconds=int(options["hours"] * 3_600))
        self.stdout.write(f"{done} carts look {options['hours']:g} hours older.")
