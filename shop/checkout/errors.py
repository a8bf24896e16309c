"""Refusals of checkout and payment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pricing.types import PriceQuote
from shop.checkout.types import PriceChange
from shop.core.errors import ConflictError, NotFoundError, RejectedError, UnavailableError


@dataclass(eq=False)
class CheckoutUnknownError(NotFoundError):
    """No such checkout, or another's."""

    code: ClassVar[str] = "checkout_unknown"


@dataclass(eq=False)
class OrderUnknownError(NotFoundError):
    """No such order, or another's."""

    code: ClassVar[str] = "order_unknown"


@dataclass(eq=False)
class PaymentUnknownError(NotFoundError):
    """No such payment, or another's."""

    code: ClassVar[str] = "payment_unknown"


@dataclass(eq=False)
class CartEmptyError(ConflictError):
    """There is nothing to check out."""

    code: ClassVar[str] = "cart_empty"


@dataclass(eq=False)
class MoneyUnderWayError(ConflictError):
    """A payment runs, is in review or has to be refunded: whose it is cannot be forgotten yet."""

    code: ClassVar[str] = "money_under_way"


@dataclass(eq=False)
class NothingToReorderError(ConflictError):
    """Nothing of the order is sold and in stock."""

    code: ClassVar[str] = "nothing_to_reorder"


@dataclass(eq=False)
class LineUnavailableError(ConflictError):
    """At least one line is not sold (any more); a detail each."""

    code: ClassVar[str] = "line_unavailable"


@dataclass(eq=False)
class PriceChangedError(ConflictError):
    """The total differs from what was shown or accepted; nothing was reserved or charged."""

    code: ClassVar[str] = "price_changed"

    quote: PriceQuote
    changes: tuple[PriceChange, ...]


@dataclass(eq=False)
class CheckoutChangedError(ConflictError):
    """`If-Match` named another version of the checkout (412)."""

    code: ClassVar[str] = "checkout_changed"

    version: int


@dataclass(eq=False)
class CheckoutCancelledError(ConflictError):
    """The checkout is over (410)."""

    code: ClassVar[str] = "checkout_cancelled"


@dataclass(eq=False)
class CheckoutIncompleteError(RejectedError):
    """Something is missing before paying; a detail each."""

    code: ClassVar[str] = "checkout_incomplete"


@dataclass(eq=False)
class PaymentInProgressError(ConflictError):
    """A payment for this checkout is under way."""

    code: ClassVar[str] = "payment_in_progress"


@dataclass(eq=False)
class PaymentDeclinedError(ConflictError):
    """The provider refused (402); nothing was charged, the reservation was released."""

    code: ClassVar[str] = "payment_declined"

    reason: str
    payment_id: str


@dataclass(eq=False)
class NotDecidableError(ConflictError):
    """Staff cannot decide this (any more): `why` is a stable code."""

    code: ClassVar[str] = "not_decidable"

    why: str


@dataclass(eq=False)
class ReservationLimitError(ConflictError):
    """This customer or guest has too many open checkouts."""

    code: ClassVar[str] = "reservation_limit"

    limit: int


@dataclass(eq=False)
class UnitsLimitError(ConflictError):
    """One customer or guest wants to hold more units at once than may be."""

    code: ClassVar[str] = "units_limit"

    limit: int


@dataclass(eq=False)
class AddressLimitError(ConflictError):
    """So much is reserved from one network address already that no more is."""

    code: ClassVar[str] = "address_limit"


@dataclass(eq=False)
class GatewayUnavailableError(UnavailableError):
    """The payment provider cannot be reached; the checkout stays as it is."""

    code: ClassVar[str] = "gateway_unavailable"


@dataclass(eq=False)
class IdempotencyKeyMissingError(RejectedError):
    """The request needs an `Idempotency-Key` (400)."""

    code: ClassVar[str] = "idempotency_key_missing"


@dataclass(eq=False)
class IdempotencyKeyInvalidError(RejectedError):
    """The key is empty, over 255 characters, not printable ASCII, or sent twice (400)."""

    code: ClassVar[str] = "idempotency_key_invalid"


@dataclass(eq=False)
class IdempotencyKeyReusedError(RejectedError):
    """The key was used with another body (422)."""

    code: ClassVar[str] = "idempotency_key_reused"


@dataclass(eq=False)
class IdempotencyInProgressError(ConflictError):
    """The first request with this key is still running."""

    code: ClassVar[str] = "idempotency_in_progress"


@dataclass(eq=False)
class WebhookRefusedError(RejectedError):
    """The signature or its time is not good (400)."""

    code: ClassVar[str] = "webhook_refused"
