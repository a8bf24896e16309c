"""`manage.py check_shop`: does everything add up? Exits with 1 if something is wrong, with 0 if all is well."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.core import clock
from shop.watch import services
from shop.watch.sections import SECTIONS


class Command(BaseCommand):
    """Check the shop's books."""

    help = "Check that counters, reservations, ledger and checkouts agree; --fix repairs what can be repaired."

    def add_arguments(self, parser: CommandParser) -> None:
        names = [section.name for section in SECTIONS]
        parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"one of {', '.join(names)}; all if none")
        parser.add_argument("--fix", action="store_true", help="repair, each repair with a line in the ledger")
        parser.add_argument(
            "--sample",
            action="store_true",
            help="look only at what was touched last",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Check, print a line a finding, and keep the alerts in step if everything was checked.

        :raises CommandError: if something is wrong and was not repaired.
        """
        try:
            outcomes = services.check(
                sections=options["sections"], is_whole=not options["sample"], may_fix=options["fix"]
            )
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        for outcome in outcomes:
            finding = outcome.finding
            state = "fixed" if outcome.is_fixed else "WRONG"
            done = f" — {outcome.done}" if outcome.done else ""
            self.stdout.write(f"{state}  {finding.section}  {finding.subject}: {finding.detail}{done}")
        wrong = [outcome.finding for outcome in outcomes if not outcome.is_fixed]
        if not options["sections"] and not options["sample"]:
            services.keep_alerts(findings=wrong, now=clock.now())
        if wrong:
            raise CommandError(f"{len(wrong)} wrong, {len(outcomes) - len(wrong)} fixed", returncode=1)
        self.stdout.write("all is well")
