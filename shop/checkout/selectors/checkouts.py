"""Reads of checkouts: everything that page and API show of one, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from inventory import selectors as inventory
from inventory.messages import release_words
from inventory.types import ReservationState, ReservationView
from pricing.types import read_discounts
from shop.catalog import selectors as catalog
from shop.catalog.types import SkuCard
from shop.checkout import models, rules
from shop.checkout.errors import CheckoutCancelledError, CheckoutUnknownError
from shop.checkout.selectors.ids import is_id
from shop.checkout.selectors.orders import address_of
from shop.checkout.selectors.payments import TOO_LATE
from shop.checkout.types import CheckoutLine, CheckoutState, CheckoutView, PaymentState, Principal
from shop.core.db import columns_of, instance_of, prepared
from shop.core.money import Money

LINES = f"""
(SELECT json_agg(json_build_array(l.sku_id, l.title, l.quantity, l.unit_price_minor, l.discount_minor,
                                  l.price_at_add_minor,
                                  CASE WHEN s.sku_id IS NOT NULL THEN {catalog.CARD_JSON} END) ORDER BY l.position)
   FROM checkout_checkoutline l LEFT JOIN ({catalog.SKU_ROWS}) ON s.sku_id = l.sku_id
  WHERE l.checkout_id = c.checkout_id)
"""  # noqa: S608 - put together from constants
"""The lines of a checkout called `c` with their cards, as one value: `read_lines`."""

_VIEW = f"""
SELECT {columns_of(models.Checkout, "c")}, {LINES}, o.number,
       p.payment_id, p.state, p.reason, p.action_url, p.amount_minor, p.currency,
       {inventory.VIEW_COLUMNS}
  FROM checkout_checkout c
  LEFT JOIN checkout_order o ON o.checkout_id = c.checkout_id
  LEFT JOIN LATERAL (
       SELECT * FROM checkout_payment p WHERE p.checkout_id = c.checkout_id
        ORDER BY p.created_at DESC, p.payment_id DESC LIMIT 1) p ON true
  LEFT JOIN {inventory.RESERVATION_ROWS} ON r.id = c.reservation_id
"""  # noqa: S608 - put together from constants
_BY_ID = f"{_VIEW} WHERE c.checkout_id = %(checkout_id)s AND c.owner = %(owner)s"
_LIVE = f"""{_VIEW} WHERE c.owner = %(owner)s AND c.state IN ('open', 'paying')
 ORDER BY c.state DESC, c.created_at DESC LIMIT 1"""

_COLUMNS = len(models.Checkout._meta.concrete_fields)  # noqa: SLF001 - Django's documented way to a model's fields


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line of a frozen quote, prices in minor units of the checkout's currency, and the SKU's card if it has one."""

    sku_id: str
    title: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    price_at_add_minor: int | None
    card: SkuCard | None

    @property
    def line_total_minor(self) -> int:
        """Quantity times unit price."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True)
class LastPayment:
    """What a checkout shows of its last payment."""

    payment_id: str
    state: str
    reason: str
    action_url: str
    amount_minor: int
    currency: str


def read_lines(found: Sequence[Sequence[Any]] | None) -> tuple[QuotedLine, ...]:
    """Read the value of `LINES`."""
    return tuple(
        QuotedLine(
            sku_id=sku_id,
            title=title,
            quantity=quantity,
            unit_price_minor=price,
            discount_minor=discount,
            price_at_add_minor=price_at_add,
            card=catalog.read_card(card) if card else None,
        )
        for sku_id, title, quantity, price, discount, price_at_add, card in found or ()
    )


def get_checkout(*, checkout_id: str, principal: Principal, now: datetime) -> CheckoutView:
    """Show a checkout to its owner (one query).

    :raises CheckoutUnknownError: if there is none of this id, or it is another's.
    :raises CheckoutCancelledError: if it was cancelled.
    """
    found = prepared(_BY_ID, {"checkout_id": checkout_id, "owner": principal.owner}) if is_id(checkout_id) else ()
    if not found:
        raise CheckoutUnknownError
    view = _read_view(found[0], now)
    if view.state is CheckoutState.CANCELLED:
        raise CheckoutCancelledError
    return view


def find_open_checkout(*, principal: Principal, now: datetime) -> CheckoutView | None:
    """Find the checkout that this principal has under way: the one being paid first, else the open one (one query)."""
    found = prepared(_LIVE, {"owner": principal.owner})
    return _read_view(found[0], now) if found else None


def list_live_ids(*, checkout_ids: Collection[str]) -> frozenset[str]:
    """Tell which of these checkouts are open or being paid (one query)."""
    live = models.Checkout.objects.filter(checkout_id__in=set(checkout_ids), state__in=models.checkouts.LIVE)
    return frozenset(live.values_list("checkout_id", flat=True))


def _read_view(found: Sequence[Any], now: datetime) -> CheckoutView:
    row = instance_of(models.Checkout, found[:_COLUMNS])
    lines, number, *rest = found[_COLUMNS:]
    payment, reservation = rest[:6], rest[6:]
    return checkout_view(
        row,
        read_lines(lines),
        now=now,
        reservation=inventory.read_view(tuple(reservation)) if reservation[0] else None,
        payment=LastPayment(*payment) if payment[0] else None,
        order_number=number or "",
    )


def checkout_view(
    row: models.Checkout,
    lines: Sequence[QuotedLine],
    *,
    now: datetime,
    reservation: ReservationView | None,
    payment: LastPayment | None = None,
    order_number: str = "",
) -> CheckoutView:
    """Show a checkout of which everything is known."""
    state = _reservation_state(reservation, now)
    address = address_of(row.address)
    currency = row.currency
    return CheckoutView(
        checkout_id=row.checkout_id,
        state=CheckoutState(row.state),
        version=row.version,
        server_time=now,
        email=row.email,
        address=address,
        consent_reminders=row.consent_reminders,
        lines=tuple(
            CheckoutLine(
                sku_id=line.sku_id,
                title=line.title,
                quantity=line.quantity,
                unit_price=Money(line.unit_price_minor, currency),
                line_total=Money(line.line_total_minor, currency),
                price_at_add=None if line.price_at_add_minor is None else Money(line.price_at_add_minor, currency),
                card=line.card,
                discount=Money(line.discount_minor, currency),
            )
            for line in lines
        ),
        currency=currency,
        subtotal=Money(row.subtotal_minor, currency),
        total=Money(row.total_minor, currency),
        reservation_id=row.reservation_id,
        reservation_state=state,
        reservation_expires_at=reservation.expires_at if reservation else None,
        renewals_left=max(0, settings.INVENTORY.renewals - reservation.renewals) if reservation else 0,
        lock_expires_at=row.lock_expires_at,
        cart_version=row.cart_version,
        cart_content_version=row.cart_content_version,
        requirements=rules.requirements(
            email=row.email,
            has_address=address is not None,
            is_reserved=state in (ReservationState.SOFT, ReservationState.HARD),
        ),
        order_number=order_number,
        last_payment_id=payment.payment_id if payment else "",
        last_payment_state=PaymentState(payment.state) if payment else None,
        decline_reason=payment.reason if payment and payment.state == PaymentState.FAILED.value else "",
        release_reason=release_words(reservation.cause) if reservation else "",
        action_url=payment.action_url if payment and payment.state == PaymentState.REQUIRES_ACTION.value else "",
        refund=Money(payment.amount_minor, payment.currency) if payment and _came_too_late(payment) else None,
        discounts=read_discounts(row.discounts, currency),
    )


def _came_too_late(payment: LastPayment) -> bool:
    is_given_back = payment.state in (PaymentState.REFUND_DUE.value, PaymentState.REFUNDED.value)
    return is_given_back and payment.reason in TOO_LATE


def _reservation_state(reservation: ReservationView | None, now: datetime) -> ReservationState:
    if reservation is None:
        return ReservationState.RELEASED
    if reservation.state is ReservationState.SOFT and reservation.expires_at <= now:
        return ReservationState.EXPIRED
    return reservation.state
