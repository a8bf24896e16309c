"""How checkouts, payments and orders are written for programs. An allow-list, built by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urljoin

from django.conf import settings

from cart.types import Cart
from pricing.api import discount_json
from pricing.types import Discount, PriceQuote
from shop.checkout.types import (
    Address,
    CheckoutView,
    OrderSlice,
    OrderView,
    PaymentView,
    PriceChange,
    Reordered,
)
from shop.core.clock import isoformat
from shop.core.money import Money
from shop.core.preconditions import etag
from shop.core.representations import money_json


def checkout_json(view: CheckoutView) -> dict[str, Any]:
    """Write a checkout for its owner."""
    return {
        "id": view.checkout_id,
        "state": view.state,
        "version": view.version,
        "etag": etag(view.version),
        "server_time": isoformat(view.server_time),
        "reservation": {
            "state": view.reservation_state,
            "expires_at": isoformat(view.reservation_expires_at) if view.reservation_expires_at else None,
            "renewals_left": view.renewals_left,
        },
        "price_lock": {"expires_at": isoformat(view.lock_expires_at)},
        "lines": [
            {
                "sku_id": line.sku_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": money_json(line.unit_price),
                "line_total": money_json(line.line_total),
                "discount": money_json(line.discount),
                "price_at_add": money_json(line.price_at_add),
                "image": line.card.image_url if line.card else None,
            }
            for line in view.lines
        ],
        "totals": _totals(view.subtotal, view.discounts, view.total),
        "requirements": list(view.requirements),
        "email": view.email or None,
        "shipping_address": _address(view.address) if view.address else None,
        "consent_reminders": view.consent_reminders,
        "order_number": view.order_number or None,
        "last_payment": {
            "id": view.last_payment_id,
            "state": view.last_payment_state,
            "decline_reason": view.decline_reason or None,
        }
        if view.last_payment_id
        else None,
    }


def payment_json(view: PaymentView) -> dict[str, Any]:
    """Write a payment for its payer."""
    body: dict[str, Any] = {
        "id": view.payment_id,
        "checkout_id": view.checkout_id,
        "state": view.state,
        "amount": money_json(view.amount),
        "order_number": view.order_number or None,
        "decline_reason": view.decline_reason or None,
    }
    if view.action_url:
        body["next_action"] = {"type": "redirect", "url": urljoin(settings.BASE_URL, view.action_url)}
    return body


def order_json(view: OrderView) -> dict[str, Any]:
    """Write an order for its buyer."""
    return {
        "number": view.number,
        "placed_at": isoformat(view.placed_at),
        "payment_state": view.payment_state,
        "email": view.email,
        "shipping_address": _address(view.address),
        "lines": [
            {
                "sku_id": line.sku_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": money_json(line.unit_price),
                "line_total": money_json(line.line_total),
                "discount": money_json(line.discount),
                "image": line.image_url,
            }
            for line in view.lines
        ],
        "totals": _totals(view.subtotal, view.discounts, view.total),
    }


def orders_json(found: OrderSlice) -> dict[str, Any]:
    """Write a slice of orders."""
    return {"items": [order_json(order) for order in found.orders], "next_cursor": found.next_cursor or None}


def reorder_json(receipt: Reordered, cart: Cart) -> dict[str, Any]:
    """Write the receipt of a reorder, and which version the cart has."""
    lines = [
        {
            "sku_id": line.sku_id,
            "title": line.title,
            "outcome": line.outcome,
            "ordered": line.ordered,
            "added": line.added,
        }
        for line in receipt.lines
    ]
    return {"receipt": lines, "cart": {"version": cart.version, "etag": etag(cart.version), "units": cart.units}}


def quote_json(quote: PriceQuote, changes: tuple[PriceChange, ...]) -> dict[str, Any]:
    """Write the new quote, and per line what it was and is, for a client that has to agree to it."""
    return {
        "quote": {
            "lines": [
                {
                    "sku_id": line.sku_id,
                    "quantity": line.quantity,
                    "unit_price": money_json(line.unit_price),
                    "line_total": money_json(line.line_total),
                    "discount": money_json(line.line_total - line.to_pay),
                }
                for line in quote.lines
            ],
            "totals": _totals(quote.subtotal, quote.discounts, quote.total),
        },
        "changes": [
            {
                "sku_id": change.sku_id,
                "title": change.title,
                "was": money_json(change.was),
                "now": money_json(change.now),
            }
            for change in changes
        ],
    }


def _totals(subtotal: Money, discounts: tuple[Discount, ...], total: Money) -> dict[str, Any]:
    return {
        "subtotal": money_json(subtotal),
        "discounts": [discount_json(discount) for discount in discounts],
        "total": money_json(total),
    }


def _address(address: Address) -> dict[str, str]:
    return dict(asdict(address))
