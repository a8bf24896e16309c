"""Brings a missing cart back from its record: one query, one process at a time, never over what is newer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cart import store
from cart.codec import encode_line, row_to_line, to_micros
from cart.models import CartRecord
from cart.types import CartRef

WAIT_SECONDS = 0.6
"""How long a reader waits for another who is already asking PostgreSQL; then it asks for itself."""
STEP_SECONDS = 0.02
CLEARED_ORDERS = 20
"""How many orders a cart in Redis remembers to be cleared of: more than its record does (`KEPT_ORDERS`), so that none
of those is ever taken for new. As in `lua/change.lua`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record in the form of the hashes in Redis, without what orders took out of it."""

    version: int
    cart: dict[str, str]
    saved: dict[str, str]


def find_record(ref: CartRef) -> Stored | None:
    """Look up the live record of an owner, as hashes; None if there is none. One query."""
    return find_records([ref.owner]).get(ref.owner)


def find_records(owners: Sequence[str]) -> dict[str, Stored]:
    """Look up the live records of several owners, as hashes. One query; those who have none are left out."""
    records = CartRecord.objects.filter(owner__in=owners).exclude(state=CartRecord.State.CONVERTED)
    return {record.owner: to_fields(record) for record in records}


def to_fields(record: CartRecord) -> Stored:
    """Turn a record into the fields of its hashes.

    Orders whose clearing no snapshot has confirmed yet are taken out here, so that bought lines never come back.
    """
    marks: dict[str, str] = dict(record.marks)
    saved = {row["sku_id"]: encode_line(row_to_line(row)) for row in record.saved}
    cart = {
        "@version": str(record.version),
        "@content_version": str(record.content_version),
        "@last_activity_at": str(to_micros(record.last_activity_at)),
        **marks,
    }
    if record.state == CartRecord.State.MERGED:
        return Stored(record.version, {**cart, "@state": "merged"}, {})
    rows = {row["sku_id"]: dict(row) for row in record.lines}
    cleared = read_cleared(marks)
    for order in [order for order in record.ordered if order["number"] not in cleared]:
        subtract(rows, order["lines"])
        cleared.append(order["number"])
    if cleared:
        cart["@cleared"] = json.dumps(cleared[-CLEARED_ORDERS:])
    cart.update({sku_id: encode_line(row_to_line(row)) for sku_id, row in rows.items()})
    if saved:
        cart["@saved_count"] = str(len(saved))
    return Stored(record.version, cart, saved)


def read_cleared(marks: Mapping[str, str]) -> list[str]:
    """List the orders that a cart was cleared of."""
    cleared: list[str] = json.loads(marks.get("@cleared", "[]"))
    return cleared


def clear_order(owner: str, order: Mapping[str, Any]) -> None:
    """Take an order of the record out of the live cart; the script knows which it has seen.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    store.change(
        owner=owner,
        operation_id=f"order-{order['number']}",
        operations=[{"op": "order", "number": order["number"], "lines": order["lines"]}],
        reason="order",
        is_forced=True,
    )


def subtract(rows: dict[str, dict[str, Any]], quantities: Mapping[str, int]) -> None:
    """Take ordered quantities out of `rows` (SKU → line); what was added beyond them stays."""
    for sku_id, quantity in quantities.items():
        if sku_id in rows:
            rows[sku_id]["quantity"] -= quantity
            if rows[sku_id]["quantity"] <= 0:
                del rows[sku_id]


def restore(ref: CartRef) -> bool:
    """Put a cart back from its record if Redis holds none, or an older one; tell whether there was a record.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    stored = find_record(ref)
    if stored is None:
        return False
    store.restore(owner=ref.owner, version=stored.version, cart=stored.cart, saved=stored.saved)
    return True


def read_missing(ref: CartRef) -> tuple[store.Fields, store.Fields]:
    """Read a cart that Redis does not hold: restored by one caller at a time, then read again.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        claim = store.claim_restore(ref.owner)
        if claim == "none":
            return {}, {}
        if claim == "mine" or time.monotonic() > ends:
            # Another may have brought it back between this caller's look and its claim.
            fields = store.read_both(ref.owner)
            if fields[0]:
                return fields
            if not restore(ref):
                store.remember_none(ref.owner)
                return {}, {}
            return store.read_both(ref.owner)
        time.sleep(STEP_SECONDS)
        fields = store.read_both(ref.owner)
        if fields[0]:
            return fields
