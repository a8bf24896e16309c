"""How carts are written: a line as one short text in Redis, and the same line as JSON in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from cart.types import Cart, CartLine, CartRef, CartState, MergeOutcome, MergeQuestion, ReceiptLine
from pricing import regions
from shop.core.money import Money

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class LineRow(TypedDict):
    """A line as PostgreSQL keeps it, for recovery and analysis."""

    sku_id: str
    quantity: int
    price_at_add: int | None
    currency: str | None
    added_at: int
    """Microseconds since 1970."""


def to_micros(moment: datetime) -> int:
    """Tell an aware moment in whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Tell the moment that lies so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def encode_line(line: CartLine) -> str:
    """Write a line as `<quantity> <price at add> <currency> <added at, µs>`; `-` where no price is known."""
    price = line.price_at_add
    money = f"{price.minor} {price.currency}" if price else "- -"
    return f"{line.quantity} {money} {to_micros(line.added_at)}"


def decode_line(sku_id: str, text: str) -> CartLine:
    """Read what `encode_line` or a script wrote.

    :raises ValueError: if it is not a line.
    """
    quantity, minor, currency, added_at = text.split(" ")
    price = None if minor == "-" else Money(int(minor), currency)
    return CartLine(sku_id, int(quantity), price, from_micros(int(added_at)))


def decode_lines(fields: Mapping[str, str]) -> tuple[CartLine, ...]:
    """Read the lines among the fields of a hash, in order of adding."""
    lines = [decode_line(name, text) for name, text in fields.items() if not name.startswith("@")]
    return tuple(sorted(lines, key=lambda line: (line.added_at, line.sku_id)))


def line_to_row(line: CartLine) -> LineRow:
    """Turn a line into its JSON for PostgreSQL."""
    price = line.price_at_add
    return {
        "sku_id": line.sku_id,
        "quantity": line.quantity,
        "price_at_add": price.minor if price else None,
        "currency": price.currency if price else None,
        "added_at": to_micros(line.added_at),
    }


def row_to_line(row: Mapping[str, Any]) -> CartLine:
    """Turn a record's JSON back into a line."""
    minor = row["price_at_add"]
    price = None if minor is None else Money(minor, row["currency"])
    return CartLine(row["sku_id"], row["quantity"], price, from_micros(row["added_at"]))


def value_of_rows(rows: Iterable[Mapping[str, Any]], currency: str) -> int:
    """Add up lines at the prices when added, in minor units; one that was added in another currency adds nothing."""
    return sum(row["quantity"] * (row["price_at_add"] or 0) for row in rows if row["currency"] == currency)


def encode_receipt(receipt: Iterable[ReceiptLine]) -> str:
    """Write a receipt as JSON."""
    return json.dumps([asdict(line) for line in receipt], ensure_ascii=False, separators=(",", ":"))


def decode_receipt(text: str) -> tuple[ReceiptLine, ...]:
    """Read what `encode_receipt` wrote; nothing is an empty receipt."""
    # An empty list may have passed through Lua, which writes it as {}.
    return decode_receipt_rows(json.loads(text or "[]") or [])


def decode_receipt_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[ReceiptLine, ...]:
    """Read a receipt that is JSON already."""
    return tuple(ReceiptLine(**{**row, "outcome": MergeOutcome(row["outcome"])}) for row in rows)


def decode_cart(ref: CartRef | None, fields: Mapping[str, str], *, currency: str, is_copy: bool = False) -> Cart:
    """Read a cart's hash. Of a merged guest cart nothing is shown: it looks like one never written.

    `currency` is that of whoever asks; a cart's own region goes before it.
    """
    state = CartState(fields.get("@state", CartState.ACTIVE))
    if not fields or state is CartState.MERGED:
        return Cart(ref, 0, 0, state, currency, (), None, is_copy=is_copy)
    locked_by, _, locked_until = fields.get("@lock", "").partition(" ")
    return Cart(
        ref=ref,
        version=int(fields.get("@version", "0")),
        content_version=int(fields.get("@content_version", "0")),
        state=state,
        currency=regions.currency_of(fields["@region"], currency) if "@region" in fields else currency,
        region=fields.get("@region", ""),
        lines=decode_lines(fields),
        updated_at=from_micros(int(fields["@last_activity_at"])) if "@last_activity_at" in fields else None,
        receipt=decode_receipt(fields.get("@receipt", "")),
        notice=fields.get("@notice", ""),
        is_copy=is_copy,
        saved_count=int(fields.get("@saved_count", "0")),
        acknowledged=tuple(json.loads(fields.get("@acks", "[]"))),
        locked_by=locked_by,
        locked_until=from_micros(int(locked_until)) if locked_until else None,
        merge_undo=_merge_undo(fields) if "@receipt" in fields else "",
        codes=tuple(json.loads(fields.get("@codes", "[]"))),
        question=_decode_question(fields["@question"]) if "@question" in fields else None,
    )


def encode_question(question: MergeQuestion) -> str:
    """Write a merge's question as JSON."""
    lines = {line.sku_id: encode_line(line) for line in question.guest}
    return json.dumps({"id": question.question_id, "lines": lines}, ensure_ascii=False, separators=(",", ":"))


def _decode_question(text: str) -> MergeQuestion:
    content = json.loads(text)
    return MergeQuestion(content["id"], decode_lines(content["lines"]))


def _merge_undo(fields: Mapping[str, str]) -> str:
    merges = json.loads(fields.get("@merges", "[]"))
    return str(merges[-1].get("undo", "")) if merges else ""
