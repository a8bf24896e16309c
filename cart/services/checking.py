"""What must be true of SKUs and quantities before they enter a cart: one validator for page, API and merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cart.conf import conf
from cart.errors import QuantityInvalidError, QuantityTooLargeError, SkuNotSellableError
from cart.offers import Offers
from cart.services.applying import Operation, pointer_of
from cart.types import LineChange
from shop.catalog.errors import SkuUnknownError
from shop.catalog.rules import canonical_sku_id
from shop.core.errors import ErrorDetail, RejectedError

_MINIMUM = {"set": 0, "add": 1, "save": 0, "unsave": 0, "set_saved": 0}


def clean(changes: Sequence[LineChange]) -> tuple[LineChange, ...]:
    """Bring SKU ids into their one form and check quantities; `set` lines of one SKU are added up.

    :raises RejectedError: if a SKU id is impossible (detail `invalid_sku`).
    :raises QuantityInvalidError: if a quantity is not a whole number or too small (`not_an_integer`, `min_value`).
    :raises QuantityTooLargeError: if the quantities for a SKU are more than a cart takes of it.
    """
    limit = conf().max_quantity
    impossible: list[ErrorDetail] = []
    invalid: list[ErrorDetail] = []
    too_large: list[ErrorDetail] = []
    cleaned: dict[tuple[str, str], LineChange] = {}
    for change in changes:
        sku_id = canonical_sku_id(change.sku_id)
        pointer = change.pointer or (pointer_of(sku_id) if sku_id else "/sku_id")
        minimum = _MINIMUM[change.op]
        if sku_id is None:
            impossible.append(ErrorDetail(_sku_pointer(pointer), "invalid_sku"))
            continue
        if type(change.quantity) is not int:
            invalid.append(ErrorDetail(pointer, "not_an_integer"))
            continue
        if change.quantity < minimum:
            invalid.append(ErrorDetail(pointer, "min_value", {"limit": minimum}))
            continue
        earlier = cleaned.get((change.op, sku_id))
        quantity = change.quantity + (earlier.quantity if earlier else 0)
        if quantity > limit:
            too_large.append(ErrorDetail(pointer, "max_value", {"limit": limit}))
        cleaned[change.op, sku_id] = replace(
            change, sku_id=sku_id, quantity=quantity, pointer=earlier.pointer if earlier else pointer
        )
    if impossible:
        raise RejectedError(errors=tuple(impossible + invalid + too_large))
    if invalid:
        raise QuantityInvalidError(errors=tuple(invalid + too_large))
    if too_large:
        raise QuantityTooLargeError(limit, errors=tuple(too_large))
    return tuple(cleaned.values())


def needs_offer(change: LineChange) -> bool:
    """Tell whether the catalogue, prices and stock must be asked: not to remove, to lower to nothing or to save."""
    return change.op == "unsave" or (change.op in ("set", "add", "set_saved") and change.quantity > 0)


def check_sold(changes: Iterable[LineChange], offers: Offers) -> None:
    """Refuse SKUs that are unknown or not sold.

    :raises SkuUnknownError: if the catalogue knows none of this id (details `sku_unknown`).
    :raises SkuNotSellableError: if it is not sold (details `sku_not_sellable`).
    """
    wanted = [change for change in changes if needs_offer(change)]
    unknown = [c for c in wanted if c.sku_id not in offers.cards]
    withdrawn = [c for c in wanted if c.sku_id in offers.cards and not offers.is_sold(c.sku_id)]
    errors = tuple(
        ErrorDetail(_sku_pointer(c.pointer), "sku_unknown" if c in unknown else "sku_not_sellable")
        for c in (*unknown, *withdrawn)
    )
    if unknown:
        raise SkuUnknownError(unknown[0].sku_id, errors=errors)
    if withdrawn:
        raise SkuNotSellableError(withdrawn[0].sku_id, errors=errors)


def _sku_pointer(pointer: str) -> str:
    """Point at the SKU beside a quantity: `/items/0/quantity` → `/items/0/sku_id`."""
    return pointer.removesuffix("/quantity") + "/sku_id" if pointer.endswith("/quantity") else pointer


def to_operation(change: LineChange, offers: Offers, *, is_clamping: bool) -> Operation:
    """Write a checked change as an operation of the change script, with its price at add and what there is of it."""
    operation: dict[str, object] = {"op": change.op, "sku": change.sku_id, "quantity": change.quantity}
    if not needs_offer(change):
        return operation
    price = offers.prices.get(change.sku_id)
    if price:
        operation |= {"price": str(price.minor), "currency": price.currency}
    if change.op != "set_saved":
        operation |= {"buyable": offers.available(change.sku_id), "clamp": is_clamping}
    return operation
