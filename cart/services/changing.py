"""Putting lines into a cart, changing and removing them, and deferring them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from cart.offers import list_offers
from cart.services.applying import Operation, apply
from cart.services.checking import check_sold, clean, needs_offer, to_operation
from cart.types import CartChange, CartRef, LineChange


def change_lines(
    *,
    ref: CartRef,
    changes: Sequence[LineChange],
    now: datetime,
    mode: Literal["patch", "replace"] = "patch",
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
    is_clamping: bool = False,
    keeps_undo: bool = False,
    owner: str | None = None,
) -> CartChange:
    """Change many lines at once, all or none, in one round trip to Redis.

    `replace` also removes the cart's lines that no change names. Checked: each SKU that shall enter is known and sold
    (`list_offers`); each quantity is within the limits, summed per SKU; no more is put in than there is. Lowering is
    never refused for lack of stock, removing and saving need no SQL at all. With `is_clamping`, more than there is
    becomes what there is, with the warning `clamped`; where there is nothing it is refused all the same. With
    `keeps_undo` it can be undone even if it takes nothing away. `owner` is the shopper's own checkout, whose reserved
    units count as available.

    :raises RejectedError, QuantityInvalidError, QuantityTooLargeError: if a SKU id or quantity is not valid.
    :raises SkuUnknownError, SkuNotSellableError: if a SKU is not sold.
    :raises InsufficientStockError: if there is too little, and `is_clamping` is off or there is nothing.
    :raises Refusal: also as `applying.apply` says.
    """
    wanted = clean(changes)
    offers = list_offers(sku_ids=[c.sku_id for c in wanted if needs_offer(c)], now=now, owner=owner, customer=ref.owner)
    check_sold(wanted, offers)
    operations: list[Operation] = [to_operation(c, offers, is_clamping=is_clamping) for c in wanted]
    if keeps_undo:
        operations.append({"op": "keep_undo"})
    if mode == "replace":
        operations.append({"op": "empty", "keep": {c.sku_id: True for c in wanted if c.op in ("set", "add")}})
    return apply(
        ref=ref,
        operations=operations,
        reason=mode if len(wanted) != 1 else wanted[0].op,
        operation_id=operation_id,
        fingerprint=[mode, *((c.op, c.sku_id, c.quantity) for c in wanted)],
        expected_version=expected_version,
        seen_version=seen_version,
        pointers={c.sku_id: c.pointer for c in wanted},
        offers=offers,
    )


def set_quantity(
    *,
    ref: CartRef,
    sku_id: str,
    quantity: int,
    now: datetime,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
    is_clamping: bool = False,
    owner: str | None = None,
    pointer: str = "/quantity",
) -> CartChange:
    """Set a line to `quantity` units; 0 removes it, which is also success where there is no such line.

    Checks and errors are those of `change_lines`.
    """
    return change_lines(
        ref=ref,
        changes=[LineChange("set", sku_id, quantity, pointer)],
        now=now,
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
        is_clamping=is_clamping,
        owner=owner,
    )


def add_line(
    *,
    ref: CartRef,
    sku_id: str,
    quantity: int,
    now: datetime,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
    is_clamping: bool = False,
    owner: str | None = None,
    pointer: str = "/quantity",
) -> CartChange:
    """Add `quantity` (≥ 1) units to what is in the cart. Checks and errors are those of `change_lines`."""
    return change_lines(
        ref=ref,
        changes=[LineChange("add", sku_id, quantity, pointer)],
        now=now,
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
        is_clamping=is_clamping,
        owner=owner,
    )


def remove_line(
    *,
    ref: CartRef,
    sku_id: str,
    now: datetime,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
) -> CartChange:
    """Remove a line; success also where there is none (then `undo` is empty). No SQL.

    :raises Refusal: as `applying.apply` says.
    """
    return set_quantity(
        ref=ref,
        sku_id=sku_id,
        quantity=0,
        now=now,
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
    )


def empty_cart(
    *,
    ref: CartRef,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
) -> CartChange:
    """Remove every line; the saved list stays. No SQL.

    :raises Refusal: as `applying.apply` says.
    """
    return apply(
        ref=ref,
        operations=[{"op": "empty"}],
        reason="empty",
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
    )


def save_line(
    *,
    ref: CartRef,
    sku_id: str,
    now: datetime,
    quantity: int = 0,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
) -> CartChange:
    """Move a line (`quantity` units of it, 0: all) to the saved list, with its price and time of adding. No SQL.

    :raises LineUnknownError: if it is not in the cart.
    :raises Refusal: also as `applying.apply` says.
    """
    return change_lines(
        ref=ref,
        changes=[LineChange("save", sku_id, quantity)],
        now=now,
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
    )


def move_to_cart(
    *,
    ref: CartRef,
    sku_id: str,
    now: datetime,
    quantity: int = 0,
    operation_id: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
    is_clamping: bool = False,
    owner: str | None = None,
) -> CartChange:
    """Move a saved line (`quantity` units of it, 0: all) into the cart, to what is there of it already.

    What does not fit the stock stays on the saved list if `is_clamping`. Checks and errors: `change_lines`.

    :raises LineUnknownError: if it is not on the saved list.
    """
    return change_lines(
        ref=ref,
        changes=[LineChange("unsave", sku_id, quantity)],
        now=now,
        operation_id=operation_id,
        expected_version=expected_version,
        seen_version=seen_version,
        is_clamping=is_clamping,
        owner=owner,
    )


def set_saved_quantity(
    *,
    ref: CartRef,
    sku_id: str,
    quantity: int,
    now: datetime,
    operation_id: str = "",
    pointer: str = "/quantity",
) -> CartChange:
    """Set a line of the saved list to `quantity` units; 0 removes it. Stock does not matter here.

    Checks and errors are those of `change_lines`; the cart itself is not touched.
    """
    return change_lines(
        ref=ref, changes=[LineChange("set_saved", sku_id, quantity, pointer)], now=now, operation_id=operation_id
    )


def remove_saved(*, ref: CartRef, sku_id: str, now: datetime, operation_id: str = "") -> CartChange:
    """Remove a line from the saved list; success also where there is none. No SQL.

    :raises Refusal: as `applying.apply` says.
    """
    return set_saved_quantity(ref=ref, sku_id=sku_id, quantity=0, now=now, operation_id=operation_id)
