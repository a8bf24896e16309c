"""The one way in which carts change: a list of operations for the change script, and its refusals as errors."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from cart import restoring, store
from cart.codec import decode_cart
from cart.conf import conf
from cart.errors import (
    CartChangedError,
    CartFrozenError,
    CartFullError,
    CartLockedError,
    CartMergedError,
    LineUnknownError,
    OperationReusedError,
    QuantityTooLargeError,
    SavedListFullError,
    UndoExpiredError,
    UndoSupersededError,
)
from cart.offers import Offers, currency
from cart.types import CartChange, CartRef, CartWarning
from inventory.errors import InsufficientStockError, Shortage
from pricing import regions
from pricing.errors import CodeNotCombinableError
from shop.core.errors import ErrorDetail, ParamValue, Refusal

Operation = Mapping[str, Any]
"""One operation of `lua/change.lua`."""

LOCK_RETRY_SECONDS = 5
_OPERATION_BYTES = 9
_PARAMS = ("requested", "buyable", "limit")


def pointer_of(sku_id: str) -> str:
    """Point at a SKU's line in the cart (JSON pointer)."""
    return "/items/" + sku_id.replace("~", "~0").replace("/", "~1")


def apply(
    *,
    ref: CartRef,
    operations: Sequence[Operation],
    reason: str,
    operation_id: str = "",
    fingerprint: Sequence[object] = (),
    expected_version: int | None = None,
    seen_version: int | None = None,
    is_forced: bool = False,
    can_undo: bool = True,
    pointers: Mapping[str, str] | None = None,
    offers: Offers | None = None,
) -> CartChange:
    """Apply operations to a cart in one round trip, all or none.

    A cart that Redis does not hold is looked up in PostgreSQL first, once. `operation_id` is a client's key: with the
    same `fingerprint` the first answer is given again, with another it is refused. `seen_version` refuses nothing; if
    the lines changed since, the cart gets the notice “changed elsewhere”. A cart without a region gets that of whoever
    asks.

    :raises CartChangedError: if the cart has another version than `expected_version`.
    :raises CartLockedError: if the cart is being paid for (or, `CartFrozenError`, merged).
    :raises CartMergedError: if this guest cart was merged.
    :raises OperationReusedError: if `operation_id` was used for another change.
    :raises QuantityTooLargeError: if a line would take more units than allowed.
    :raises CartFullError, SavedListFullError: if there would be too many lines.
    :raises InsufficientStockError: if more is wanted than there is.
    :raises LineUnknownError: if a line that is to be moved is not there.
    :raises UndoExpiredError, UndoSupersededError: if an undo comes too late.
    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    arguments: dict[str, Any] = {
        "owner": ref.owner,
        # Made before the first attempt, so that a repeat after a lost answer is recognized.
        "operation_id": secrets.token_urlsafe(_OPERATION_BYTES),
        "operations": [*_place(), *operations],
        "reason": reason,
        "client_key": operation_id,
        "fingerprint": _digest([reason, *fingerprint]) if operation_id else "",
        "expected_version": expected_version,
        "seen_version": seen_version,
        "is_forced": is_forced,
        "undo": secrets.token_urlsafe(_OPERATION_BYTES) if can_undo else "",
    }
    answer = store.change(**arguments, may_create=ref.is_new)
    if answer.status == "absent":
        restoring.restore(ref)
        answer = store.change(**arguments, may_create=True)
    if answer.status != "ok":
        _refuse(answer, pointers or {}, offers)
    warnings = tuple(
        CartWarning(w["code"], w["sku"], tuple((k, int(v)) for k, v in sorted(w.items()) if k not in ("code", "sku")))
        for w in answer.warnings
    )
    return CartChange(
        cart=decode_cart(ref, answer.fields or {}, currency=currency()),
        warnings=warnings,
        undo=answer.undo,
        was_replayed="r" in answer.flags,
        added_new="n" in answer.flags,
    )


def _place() -> tuple[Operation, ...]:
    return ({"op": "region", "code": regions.current().code},) if regions.are_many() else ()


def _digest(parts: Sequence[object]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _refuse(answer: store.Answer, pointers: Mapping[str, str], offers: Offers | None) -> NoReturn:
    """Turn an answer that is not `ok` into its error."""
    match answer.status:
        case "version":
            raise CartChangedError(answer.number)
        case "locked":
            raise CartLockedError(retry_after_seconds=min(answer.number, LOCK_RETRY_SECONDS))
        case "frozen":
            raise CartFrozenError(retry_after_seconds=1)
        case "merged":
            raise CartMergedError
        case "reused":
            raise OperationReusedError
        case "refused":
            raise _refusal(answer.refusals, pointers, offers)
        case status:
            raise AssertionError(status)


def _refusal(refusals: Sequence[Mapping[str, Any]], pointers: Mapping[str, str], offers: Offers | None) -> Refusal:
    """Choose the error for what the script refused; every detail of it is told at once."""
    codes = {str(r["code"]) for r in refusals}
    limits = conf()
    errors = tuple(_detail(r, pointers, offers) for r in refusals if r["sku"])
    kinds: dict[str, Callable[[], Refusal]] = {
        "undo_expired": UndoExpiredError,
        "undo_superseded": UndoSupersededError,
        "quantity_too_large": lambda: QuantityTooLargeError(limits.max_quantity, errors=errors),
        "cart_full": lambda: CartFullError(limits.max_lines, errors=errors),
        "saved_list_full": lambda: SavedListFullError(limits.max_saved, errors=errors),
        "not_in_list": lambda: LineUnknownError(errors=errors),
        "code_not_combinable": CodeNotCombinableError,
    }
    for code, make in kinds.items():
        if code in codes:
            return make()
    shortages = tuple(
        Shortage(r["sku"], int(r["requested"]), int(r["buyable"]), _retry_after(r["sku"], offers)) for r in refusals
    )
    return InsufficientStockError(shortages, errors=errors)


def _retry_after(sku_id: str, offers: Offers | None) -> int | None:
    stock = offers.stock.get(sku_id) if offers else None
    return stock.retry_after_seconds if stock else None


def _detail(refusal: Mapping[str, Any], pointers: Mapping[str, str], offers: Offers | None) -> ErrorDetail:
    code, sku_id = str(refusal["code"]), str(refusal["sku"])
    params: dict[str, ParamValue] = {name: int(refusal[name]) for name in _PARAMS if name in refusal}
    if code == "short" and (seconds := _retry_after(sku_id, offers)) is not None:
        params["retry_after"] = seconds
    if code == "quantity_too_large":
        code = "max_value"
    if code == "short":
        return ErrorDetail(pointer_of(sku_id), code, params)
    return ErrorDetail(pointers.get(sku_id) or pointer_of(sku_id), code, params)
