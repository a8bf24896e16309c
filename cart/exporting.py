"""What a customer who asks for their data is given of their cart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cart import store
from cart.codec import decode_lines, from_micros, line_to_row
from cart.models import CartEvent, CartRecord
from cart.types import CartRef


def export_customer(*, user_id: int) -> dict[str, Any]:
    """Give a customer's cart and saved list, live and as recorded, and how they changed, as JSON-able values.

    Times are ISO 8601 in UTC, amounts minor units. Without a token: what is given out must not act for anybody.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    owner = CartRef("u", str(user_id)).owner
    fields, saved = store.read_both(owner)
    records = CartRecord.objects.filter(owner=owner).order_by("recorded_at", "id")
    changes = CartEvent.objects.filter(owner=owner).order_by("version")
    return {
        "cart": _lines(line_to_row(line) for line in decode_lines(fields)),
        "saved_for_later": _lines(line_to_row(line) for line in decode_lines(saved)),
        "recorded": [
            {
                "state": record.state,
                "order_number": record.order_number,
                "last_activity_at": record.last_activity_at.isoformat(),
                "lines": _lines(record.lines),
                "saved_for_later": _lines(record.saved),
            }
            for record in records
        ],
        "changes": [
            {
                "at": change.at.isoformat(),
                "what": change.reason,
                "cart": change.quantities,
                "saved_for_later": change.saved,
                "merged": change.receipt,
            }
            for change in changes
        ],
    }


def _lines(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "added_at": from_micros(row["added_at"]).isoformat()} for row in rows]
