"""How a cart is written for programs. Built by hand from an allow-list: nothing else of a value can slip out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cart.rules import view_digest
from cart.types import Cart, CartView, CartWarning, LineView, Notice, ReceiptLine
from cart.wording import notice_words
from pricing.api import discount_json
from shop.catalog.types import SkuCard
from shop.core.clock import isoformat
from shop.core.errors import ErrorDetail
from shop.core.money import Money
from shop.core.preconditions import etag
from shop.core.representations import money_json
from shop.core.words import detail_words

EXPANSIONS = frozenset({"items.sku", "items.price", "items.availability", "totals", "notices", "saved", "page"})


def cart_json(cart: Cart) -> dict[str, Any]:
    """Write the minimal cart: what is in it and which version that is."""
    return {
        "version": cart.version,
        "etag": etag(cart.version),
        "currency": cart.currency,
        "items": [{"sku_id": line.sku_id, "quantity": line.quantity} for line in cart.lines],
        "saved_count": cart.saved_count,
        "updated_at": isoformat(cart.updated_at) if cart.updated_at else None,
    }


def count_json(cart: Cart) -> dict[str, Any]:
    """Write the number of units."""
    return {"units": cart.units}


def view_json(view: CartView, expand: frozenset[str]) -> dict[str, Any]:
    """Write the cart with what was asked for beside it; `page` asks for all."""
    if "page" in expand:
        expand = EXPANSIONS
    body = cart_json(view.cart)
    body["etag"] = etag(view.cart.version, view_digest(view))
    body["items"] = [_line(line, expand) for line in view.lines]
    if "totals" in expand:
        body["totals"] = {
            "subtotal": money_json(view.subtotal),
            "discounts": [discount_json(discount) for discount in view.discounts],
            "total": money_json(view.total),
        }
    if "notices" in expand:
        body["notices"] = [_notice(notice, view.cart) for notice in view.notices]
        body["merge_question"] = question_json(view.cart)
    if "saved" in expand:
        body["saved"] = [_line(line, expand) for line in view.saved]
    if "page" in expand:
        body["can_check_out"] = view.can_check_out
    return body


def saved_json(view: CartView, expand: frozenset[str]) -> dict[str, Any]:
    """Write the saved list alone."""
    return {
        "version": view.cart.version,
        "etag": etag(view.cart.version, view_digest(view)),
        "items": [_line(line, expand) for line in view.saved],
    }


def _line(line: LineView, expand: frozenset[str]) -> dict[str, Any]:
    body: dict[str, Any] = {"sku_id": line.sku_id, "quantity": line.quantity}
    if "items.sku" in expand:
        body |= _card(line.card)
    if "items.price" in expand:
        body["price"] = {
            "added": money_json(line.price_at_add),
            "current": money_json(line.unit_price),
            "delta": money_json(line.price_delta),
            "since": isoformat(line.added_at),
        }
        body["line_total"] = money_json(line.line_total)
    if "items.availability" in expand:
        availability: dict[str, Any] = {"state": line.state, "buyable": line.buyable}
        if line.retry_after_seconds is not None:
            availability["retry_after"] = line.retry_after_seconds
        body["availability"] = availability
    return body


def _card(card: SkuCard | None) -> dict[str, Any]:
    if card is None:
        return {"title": None, "options": {}, "image": None, "url": None}
    return {"title": card.title, "options": dict(card.options), "image": card.image_url, "url": card.url}


def _notice(notice: Notice, cart: Cart) -> dict[str, Any]:
    return {
        "id": notice.notice_id,
        "kind": notice.kind,
        "sku_id": notice.sku_id or None,
        "message": notice_words(notice),
        "was": _was(notice.was),
        "now": _was(notice.now),
        "at": isoformat(cart.updated_at) if cart.updated_at else None,
    }


def question_json(cart: Cart) -> dict[str, Any] | None:
    """Write what a merge left to decide; None if there is nothing, or a copy is shown, which takes no answer."""
    if cart.question is None or cart.is_copy:
        return None
    held = {line.sku_id: line.quantity for line in cart.lines}
    return {
        "id": cart.question.question_id,
        "items": [
            {"sku_id": line.sku_id, "account": held.get(line.sku_id, 0), "guest": line.quantity}
            for line in cart.question.guest
        ],
    }


def _was(value: Money | int | None) -> dict[str, Any] | int | None:
    return money_json(value) if isinstance(value, Money) else value


def warnings_json(warnings: Iterable[CartWarning]) -> list[dict[str, Any]]:
    """Write what was done, but not exactly as asked."""
    return [
        {
            "code": warning.code,
            **({"sku_id": warning.sku_id} if warning.sku_id else {}),
            "detail": detail_words(ErrorDetail("", warning.code, dict(warning.params))),
            **dict(warning.params),
        }
        for warning in warnings
    ]


def receipt_json(receipt: Iterable[ReceiptLine]) -> list[dict[str, Any]]:
    """Write what a merge did to each SKU."""
    return [
        {
            "sku_id": line.sku_id,
            "outcome": line.outcome,
            "account": line.account,
            "guest": line.guest,
            "result": line.result,
        }
        for line in receipt
    ]
