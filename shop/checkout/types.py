"""Frozen values of checkout, payment and order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inventory.types import ReservationState
from pricing.types import Discount
from shop.catalog.types import SkuCard
from shop.core.money import Money


class CheckoutState(StrEnum):
    """The life of a checkout: open → paying → completed, or expired, or cancelled."""

    OPEN = "open"
    PAYING = "paying"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PaymentState(StrEnum):
    """The life of a payment, in order of precedence: a later one is never left for an earlier one."""

    CREATED = "created"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an order goes. `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    postcode: str
    country: str
    line2: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a customer (`u:42`) or a guest's session (`g:…`); also how ownership is queried."""

    owner: str
    user_id: int | None
    email: str = ""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A line whose price differs from what was shown before."""

    sku_id: str
    title: str
    was: Money
    now: Money


@dataclass(frozen=True, slots=True)
class CheckoutLine:
    """One line of the frozen quote."""

    sku_id: str
    title: str
    quantity: int
    unit_price: Money
    line_total: Money
    """At the unit price; `discount` comes off it."""
    price_at_add: Money | None
    card: SkuCard | None
    discount: Money


@dataclass(frozen=True, slots=True)
class CheckoutView:
    """A checkout for page, API and admin."""

    checkout_id: str
    state: CheckoutState
    version: int
    server_time: datetime
    email: str
    address: Address | None
    consent_reminders: bool
    lines: tuple[CheckoutLine, ...]
    currency: str
    subtotal: Money
    total: Money
    reservation_id: str
    reservation_state: ReservationState
    """`expired` also while an overdue one has not been swept."""
    reservation_expires_at: datetime | None
    renewals_left: int
    lock_expires_at: datetime
    """Until when the quote stands; later the checkout quotes again."""
    cart_version: int
    cart_content_version: int
    requirements: tuple[str, ...]
    """What is missing before paying: `email`, `shipping_address`, `reservation`."""
    order_number: str = ""
    last_payment_id: str = ""
    last_payment_state: PaymentState | None = None
    decline_reason: str = ""
    release_reason: str = ""
    """Why staff ended the reservation, in words; empty if they did not."""
    action_url: str = ""
    """Where the last payment has to be confirmed; empty if nothing is to be confirmed."""
    refund: Money | None = None
    """What is given back of a payment that came too late; None if the last one did not."""
    discounts: tuple[Discount, ...] = ()

    @property
    def units(self) -> int:
        """How many units are being bought."""
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as its payer sees it."""

    payment_id: str
    checkout_id: str
    state: PaymentState
    amount: Money
    order_number: str = ""
    decline_reason: str = ""
    action_url: str = ""
    """Where the payer confirms the payment; empty if nothing is to be confirmed."""


@dataclass(frozen=True, slots=True)
class RefundNotice:
    """What the payer of a payment that is given back is to be told."""

    payment: PaymentView
    reason: str
    """Why, as a stable code; `staff`: they know. Empty: the provider gave it back by itself."""
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class OrderLineView:
    """What was bought, frozen."""

    sku_id: str
    title: str
    quantity: int
    unit_price: Money
    line_total: Money
    image_url: str
    discount: Money


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order for page, API, admin and mail."""

    number: str
    """Public and opaque, such as `ord_…`."""
    placed_at: datetime
    email: str
    address: Address
    lines: tuple[OrderLineView, ...]
    subtotal: Money
    total: Money
    payment_state: PaymentState
    owner: str = ""
    """Whose order it is, as in `Principal.owner`. For services, never shown."""
    discounts: tuple[Discount, ...] = ()
    language: str = ""
    """The language it was placed in, empty if unknown."""


@dataclass(frozen=True, slots=True)
class OrderSlice:
    """A slice of orders, newest first; `next_cursor` is opaque, empty at the end."""

    orders: tuple[OrderView, ...]
    next_cursor: str


class ReorderOutcome(StrEnum):
    """What became of a line that was ordered again."""

    ADDED = "added"
    CAPPED = "capped"
    """There were fewer, or a cart takes no more."""
    SOLD_OUT = "sold_out"
    DISCONTINUED = "discontinued"


@dataclass(frozen=True, slots=True)
class ReorderedLine:
    """One line of a reorder's receipt."""

    sku_id: str
    title: str
    outcome: ReorderOutcome
    ordered: int
    added: int


@dataclass(frozen=True, slots=True)
class Reordered:
    """The receipt of a reorder: every line of the order, in its order."""

    lines: tuple[ReorderedLine, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the order is in the cart."""
        return all(line.outcome is ReorderOutcome.ADDED for line in self.lines)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Ages of undone work in seconds, 0 where nothing waits: what `/readyz` bounds."""

    webhooks_seconds: int
    payments_seconds: int
    carts_seconds: int
