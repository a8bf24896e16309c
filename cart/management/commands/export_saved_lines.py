"""`manage.py export_saved_lines`: write what shoppers defer to the standard output, for analysis and offers."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cart import selectors
from cart.tabulating import to_row, write_csv
from shop.catalog.rules import canonical_sku_id
from shop.core import clock


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
                self.stdout.write(json.dumps(to_row(line), ensure_ascii=False))
        else:
            write_csv(lines, self.stdout)
