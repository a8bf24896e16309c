"""`manage.py export_saved_lines`: write what shoppers defer to the standard output, for analysis and offers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cart import selectors
from cart.types import DeferredLine
from shop.catalog.rules import canonical_sku_id
from shop.core import clock

COLUMNS = (
    *("user_id", "sku_id", "quantity", "saved_at", "price_then_minor", "price_now_minor", "price_drop_minor"),
    "currency",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Command(BaseCommand):
    """Reads PostgreSQL only, a batch a query; guests have no customer number, and nothing tells who they are."""

    help = "Export saved lines as CSV or as JSON, one object a line: SKU, customer, times, prices then and now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["csv", "json"], default="csv")
        parser.add_argument("--sku", default="", help="only lines of this SKU")
        parser.add_argument("--customer", type=int, help="only lines of the customer with this number")
        parser.add_argument("--dropped", action="store_true", help="only lines whose price fell since they were saved")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's
        sku_id = canonical_sku_id(options["sku"]) if options["sku"] else ""
        if sku_id is None:
            raise CommandError("--sku: this is not an item number.")
        lines = selectors.iterate_deferred(
            now=clock.now(), sku_id=sku_id, user_id=options["customer"], has_dropped=options["dropped"]
        )
        if options["format"] == "json":
            for line in lines:
                self.stdout.write(json.dumps(_row(line), ensure_ascii=False))
        else:
            self._write_csv(lines)

    def _write_csv(self, lines: Iterable[DeferredLine]) -> None:
        table = csv.DictWriter(self.stdout, COLUMNS, lineterminator="\n")
        table.writeheader()
        for line in lines:
            # A spreadsheet must not take an item number for a formula.
            row = _row(line)
            sku_id = str(row["sku_id"])
            table.writerow({**row, "sku_id": f"'{sku_id}" if sku_id.startswith(FORMULA) else sku_id})


def _row(line: DeferredLine) -> dict[str, object]:
    price = line.price_now or line.price_then
    return {
        "user_id": line.user_id,
        "sku_id": line.sku_id,
        "quantity": line.quantity,
        "saved_at": line.saved_at.isoformat().replace("+00:00", "Z"),
        "price_then_minor": line.price_then.minor if line.price_then else None,
        "price_now_minor": line.price_now.minor if line.price_now else None,
        "price_drop_minor": line.price_drop.minor if line.price_drop else None,
        "currency": price.currency if price else None,
    }
