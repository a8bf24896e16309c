"""`manage.py erase_customer`: erase a person for good, after asking."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.core import clock
from shop.core.errors import Refusal
from shop.core.words import words
from shop.personal import services


class Command(BaseCommand):
    """Safe to repeat: where it broke off, the next run goes on."""

    help = "Erase a customer, or a guest by mail address. Orders stay for the books, without the person."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("who", help="the customer's number (42 or u:42) or a mail address")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's
        """Find the person, ask, erase.

        :raises CommandError: if there is none, money is under way, the carts' server cannot answer, or the answer is
            not yes.
        """
        try:
            person = services.find_person(who=options["who"])
            whose = "a guest" if person.user_id is None else f"customer {person.user_id}"
            if options["dry_run"]:
                numbers = services.list_order_numbers(person)
                self.stdout.write(f"Would erase {whose}; {len(numbers)} orders would stay without the person.")
                return
            if not options["yes"] and input(f"Erase {whose} for good? Type yes: ") != "yes":
                raise CommandError("Nothing was done.")
            numbers = services.erase_person(person, now=clock.now())
        except Refusal as refusal:
            raise CommandError(words(refusal).detail) from refusal
        self.stdout.write(f"Erased {whose}; {len(numbers)} orders stay without the person.")
