"""Saved lines as a table: for the command that exports them and for staff's list."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any

from cart.types import DeferredLine
from shop.core.sheets import defused

COLUMNS = (
    *("user_id", "sku_id", "quantity", "saved_at", "price_then_minor", "price_now_minor", "price_drop_minor"),
    "currency",
)


def to_row(line: DeferredLine) -> dict[str, object]:
    """Write a saved line as values by column; a guest's has no customer number, and nothing tells who they are."""
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


def write_csv(lines: Iterable[DeferredLine], into: Any) -> None:  # noqa: ANN401 - whatever has `write`
    """Write saved lines as CSV with a line of names."""
    table = csv.DictWriter(into, COLUMNS, lineterminator="\n")
    table.writeheader()
    for line in lines:
        table.writerow({name: defused(value) for name, value in to_row(line).items()})
