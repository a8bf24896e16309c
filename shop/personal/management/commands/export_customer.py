"""`manage.py export_customer`: write all that the shop knows of a person to the standard output."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.core.errors import Refusal
from shop.core.words import words
from shop.personal import services


class Command(BaseCommand):
    """One JSON object; it holds personal data, so mind where it goes."""

    help = "Write all that is known of a customer, or of a guest by mail address, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("who", help="the customer's number (42 or u:42) or a mail address")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's
        """Find the person and write.

        :raises CommandError: if there is none, or the carts' server cannot answer.
        """
        try:
            known = services.export_person(services.find_person(who=options["who"]))
        except Refusal as refusal:
            raise CommandError(words(refusal).detail) from refusal
        self.stdout.write(json.dumps(known, ensure_ascii=False, indent=2))
