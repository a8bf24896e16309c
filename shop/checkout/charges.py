"""Explains charges: for each order, whether its sums are right, and why a line costs something else than when added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pricing import selectors as pricing
from pricing.types import OrderDelta
from shop.checkout.models import CheckoutLine, Order, OrderLine

BATCH = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One line that costs something else than when it was added, or what is wrong with an order (`fault`)."""

    order_number: str
    sku_id: str = ""
    currency: str = ""
    charged_minor: int = 0
    delta: OrderDelta | None = None
    fault: str = ""
    """`lines_differ`, `discounts_differ`, `charge_differs`, `unexplained` or `explained_wrongly`; empty: explained."""


def explain_charges(*, placed_from: datetime) -> Iterator[Finding]:
    """Go through the orders placed since, oldest first: four queries a batch. No difference, no finding."""
    number = ""
    at = placed_from
    while True:
        later = Order.objects.filter(placed_at__gte=at).exclude(placed_at=at, number__lte=number)
        orders = list(later.select_related("payment").prefetch_related("lines").order_by("placed_at", "number")[:BATCH])
        if not orders:
            return
        deltas = pricing.list_order_deltas(order_numbers=[order.number for order in orders])
        lines = CheckoutLine.objects.filter(checkout_id__in=[order.checkout_id for order in orders])
        added = {(line.checkout_id, line.sku_id): line.price_at_add_minor for line in lines}
        for order in orders:
            yield from _sums(order)
            for line in order.lines.all():
                delta = deltas.get((order.number, line.sku_id))
                yield from _line(order, line, added.get((order.checkout_id, line.sku_id)), delta)
        at, number = orders[-1].placed_at, orders[-1].number


def _sums(order: Order) -> Iterator[Finding]:
    lines = list(order.lines.all())
    discounts = sum(line.discount_minor for line in lines)
    payment = order.payment
    checks = (
        ("lines_differ", sum(line.line_total_minor for line in lines) - discounts == order.total_minor),
        ("discounts_differ", sum(discount["amount"] for discount in order.discounts) == discounts),
        ("charge_differs", (payment.amount_minor, payment.currency) == (order.total_minor, order.currency)),
    )
    for fault, is_right in checks:
        if not is_right:
            yield Finding(order.number, currency=order.currency, charged_minor=payment.amount_minor, fault=fault)


def _line(order: Order, line: OrderLine, added: int | None, delta: OrderDelta | None) -> Iterator[Finding]:
    charged = line.line_total_minor - line.discount_minor
    differs = bool(line.discount_minor) if added is None else added * line.quantity != charged
    if not differs and delta is None:
        return
    if delta is None or not delta.reasons:
        fault = "unexplained"
    else:
        fault = "" if delta.charged_minor == charged else "explained_wrongly"
    yield Finding(order.number, line.sku_id, order.currency, charged, delta, fault)
