"""`manage.py reconcile_prices`: explain orders whose charge differs from what their lines cost when added."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.checkout.charges import Finding, explain_charges
from shop.core import clock

MOST_DAYS = 36_500


def _days(text: str) -> int:
    """Read a number of days.

    :raises ArgumentTypeError: if it is none that can be looked back.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_DAYS)) and 1 <= int(text) <= MOST_DAYS):
        raise ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_DAYS}")
    return int(text)


class Command(BaseCommand):
    """Print a line for each difference; fail if one has no explanation."""

    help = "Explain orders whose charge differs from the prices at add. Fails if one cannot be explained."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how far back to look."""
        parser.add_argument(
            "--days", type=_days, default=30, help=f"orders of the last 1 to {MOST_DAYS} days (default 30)"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Go through the orders.

        :raises CommandError: if a difference has no explanation, or a sum is wrong.
        """
        faults = explained = 0
        for finding in explain_charges(placed_from=clock.now() - timedelta(days=options["days"])):
            self.stdout.write(_line(finding))
            faults += bool(finding.fault)
            explained += not finding.fault
        self.stdout.write(f"{explained} differences explained, {faults} not.")
        if faults:
            raise CommandError(f"{faults} charges cannot be explained.")


def _line(finding: Finding) -> str:
    delta = finding.delta
    stages = (delta.added_minor, delta.shown_minor, delta.acknowledged_minor) if delta else (None, None, None)
    amounts = " → ".join("–" if amount is None else str(amount) for amount in (*stages, finding.charged_minor))
    why = finding.fault.upper() or ", ".join(delta.reasons if delta else ())
    return f"{finding.order_number} {finding.sku_id or 'order'} {amounts} {finding.currency}: {why}"
