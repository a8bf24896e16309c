"""What checkout does to a cart: lock it while it is paid for, record it as ordered, clear what was ordered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.db import transaction

from cart import restoring, store
from cart.codec import value_of_rows
from cart.errors import CartLockedError
from cart.models import CartRecord
from cart.restoring import subtract
from cart.services.applying import apply
from cart.types import CartChange, CartRef
from shop.core.db import prepared

# An update that changes nothing locks the live row and gives it as it is then.
_LIVE_RECORD = """
INSERT INTO cart_cartrecord AS r
       (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor, currency,
        last_activity_at, state)
VALUES (%(owner)s, %(user_id)s, %(version)s, %(version)s, '[]', '[]', '{}', '[]', 0, 0, %(currency)s, now(), 'active')
    ON CONFLICT (owner) WHERE state <> 'converted' DO UPDATE SET version = r.version
RETURNING r.id, r.version, r.currency, r.lines, r.ordered,
          EXISTS (SELECT FROM cart_cartrecord c WHERE c.order_number = %(number)s)
"""
_CONVERT = """
WITH live AS (
       UPDATE cart_cartrecord SET ordered = %(ordered)s, lines = %(lines)s, units = %(units)s, value_minor = %(value)s,
              version = %(live_version)s
        WHERE id = %(id)s)
INSERT INTO cart_cartrecord
       (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor, currency,
        last_activity_at, state, order_number)
VALUES (%(owner)s, %(user_id)s, %(version)s, %(version)s, %(ordered_lines)s, '[]', '{}', '[]', %(ordered_units)s,
        %(ordered_value)s, %(currency)s, now(), 'converted', %(number)s)
    ON CONFLICT (order_number) WHERE state = 'converted' DO NOTHING
RETURNING id
"""

KEPT_ORDERS = 10
"""How many of an owner's orders are remembered until a snapshot confirms that their lines are out of the cart."""


class OrderedLine(Protocol):
    """Anything with a SKU and a quantity: a line of checkout, order, quote or cart."""

    @property
    def sku_id(self) -> str: ...

    @property
    def quantity(self) -> int: ...


def lock_for_payment(*, ref: CartRef, checkout_id: str, seconds: int) -> None:
    """Lock a cart while its checkout is paid for; again by the same checkout: until later. It ends by itself.

    A cart that Redis does not hold is restored first; with nothing to restore there is nothing to lock.

    :raises CartLockedError: if another checkout holds the lock.
    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    answer = store.lock(owner=ref.owner, checkout_id=checkout_id, seconds=seconds)
    if answer == "absent" and restoring.restore(ref):
        answer = store.lock(owner=ref.owner, checkout_id=checkout_id, seconds=seconds)
    if answer == "locked":
        raise CartLockedError(retry_after_seconds=5)


def unlock(*, ref: CartRef, checkout_id: str) -> bool:
    """Take this checkout's lock off; tell whether it held one.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    return store.unlock(owner=ref.owner, checkout_id=checkout_id)


def convert_record(
    *, ref: CartRef, content_version: int, lines: Iterable[OrderedLine], order_number: str, currency: str
) -> None:
    """Record a cart as ordered; call it inside the order's transaction (PostgreSQL only). Safe to repeat.

    A final row keeps what was ordered. The live row loses those lines and remembers the order, so that neither a late
    snapshot nor a restored cart brings them back before Redis is cleared (`clear_ordered`). `currency` is the order's.
    Two statements; the first locks the live row.

    :raises TransactionManagementError: if there is no transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("convert_record belongs into the order's transaction")
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.sku_id] = quantities.get(line.sku_id, 0) + line.quantity
    common = {
        "owner": ref.owner,
        "user_id": ref.user_id,
        "version": content_version,
        "currency": currency,
        "number": order_number,
    }
    ((record_id, version, live_currency, stored, orders, is_known),) = prepared(_LIVE_RECORD, common)
    if is_known:
        return
    known: dict[str, dict[str, Any]] = {row["sku_id"]: row for row in json.loads(stored)}
    ordered = [
        {
            **known.get(sku_id, {"price_at_add": None, "currency": None, "added_at": 0}),
            "sku_id": sku_id,
            "quantity": quantity,
        }
        for sku_id, quantity in quantities.items()
    ]
    subtract(known, quantities)
    remembered = [*json.loads(orders), {"number": order_number, "lines": quantities}][-KEPT_ORDERS:]
    prepared(
        _CONVERT,
        {
            **common,
            "id": record_id,
            "live_version": max(version, content_version),
            "ordered": json.dumps(remembered),
            "lines": json.dumps(list(known.values())),
            "units": _units(known.values()),
            "value": value_of_rows(known.values(), live_currency),
            "ordered_lines": json.dumps(ordered),
            "ordered_units": _units(ordered),
            "ordered_value": value_of_rows(ordered, currency),
        },
    )


def _units(rows: Iterable[Mapping[str, Any]]) -> int:
    return sum(row["quantity"] for row in rows)


def clear_ordered(
    *,
    ref: CartRef,
    content_version: int,
    order_number: str,
    lines: Iterable[OrderedLine] | None = None,
) -> CartChange:
    """Take exactly what was ordered out of a cart in Redis, and the payment's lock off; once an order number.

    What was added since stays: of a line with more units than were ordered the rest remains. Without `lines` they
    are those of `convert_record`. Works also on a cart that is locked for this payment.

    :raises CartMergedError: if the guest's cart was merged into a customer's meanwhile; it is empty then.
    :raises CartsUnavailableError: if Redis cannot answer now: repeat it later.
    """
    if lines is None:
        record = CartRecord.objects.filter(owner=ref.owner).exclude(state=CartRecord.State.CONVERTED).first()
        orders = record.ordered if record else []
        quantities: dict[str, int] = next((dict(o["lines"]) for o in orders if o["number"] == order_number), {})
    else:
        quantities = {}
        for line in lines:
            quantities[line.sku_id] = quantities.get(line.sku_id, 0) + line.quantity
    return apply(
        ref=ref,
        operations=[{"op": "order", "number": order_number, "lines": quantities}],
        reason="order",
        is_forced=True,
        can_undo=False,
    )
