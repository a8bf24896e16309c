"""What checkout does to a cart: lock it while it is paid for, record it as ordered, clear what was ordered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from django.db import transaction
from django.db.models.functions import Now

from cart import restoring, store
from cart.errors import CartLockedError
from cart.models import CartRecord
from cart.offers import currency
from cart.restoring import subtract
from cart.services.applying import apply
from cart.types import CartChange, CartRef

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


def convert_record(*, ref: CartRef, content_version: int, lines: Iterable[OrderedLine], order_number: str) -> None:
    """Record a cart as ordered; call it inside the order's transaction (PostgreSQL only). Safe to repeat.

    A final row keeps what was ordered. The live row loses those lines and remembers the order, so that neither a late
    snapshot nor a restored cart brings them back before Redis is cleared (`clear_ordered`). Locks the live row.

    :raises TransactionManagementError: if there is no transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("convert_record belongs into the order's transaction")
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.sku_id] = quantities.get(line.sku_id, 0) + line.quantity
    common = {
        "user_id": ref.user_id,
        "currency": currency(),
        "last_activity_at": Now(),
    }
    CartRecord.objects.bulk_create(
        [
            CartRecord(
                owner=ref.owner,
                state=CartRecord.State.ACTIVE,
                version=content_version,
                content_version=content_version,
                **common,
            )
        ],
        ignore_conflicts=True,
    )
    live = (
        CartRecord.objects.select_for_update()
        .order_by("id")
        .exclude(state=CartRecord.State.CONVERTED)
        .get(owner=ref.owner)
    )
    if CartRecord.objects.filter(order_number=order_number).exists():
        return
    known = {row["sku_id"]: dict(row) for row in live.lines}
    ordered = [
        {
            **known.get(sku_id, {"price_at_add": None, "currency": None, "added_at": 0}),
            "sku_id": sku_id,
            "quantity": quantity,
        }
        for sku_id, quantity in quantities.items()
    ]
    subtract(known, quantities)
    live.ordered = [*live.ordered, {"number": order_number, "lines": quantities}][-KEPT_ORDERS:]
    live.lines = list(known.values())
    live.units = sum(row["quantity"] for row in known.values())
    live.value_minor = sum(row["quantity"] * (row["price_at_add"] or 0) for row in known.values())
    live.version = max(live.version, content_version)
    live.save(update_fields=["ordered", "lines", "units", "value_minor", "version"])
    CartRecord.objects.bulk_create(
        [
            CartRecord(
                owner=ref.owner,
                state=CartRecord.State.CONVERTED,
                order_number=order_number,
                version=content_version,
                content_version=content_version,
                lines=ordered,
                units=sum(quantities.values()),
                value_minor=sum(row["quantity"] * (row["price_at_add"] or 0) for row in ordered),
                **common,
            )
        ],
        ignore_conflicts=True,
    )


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
