"""Refusals of inventory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import BusyError, ConflictError, NotFoundError, RejectedError


@dataclass(frozen=True, slots=True)
class Shortage:
    """One SKU of which there is too little."""

    sku_id: str
    requested: int
    available: int
    retry_after_seconds: int | None


@dataclass(eq=False)
class InsufficientStockError(ConflictError):
    """At least one SKU is short; nothing was reserved. `errors` has one detail (code `short`) a short SKU."""

    code: ClassVar[str] = "insufficient_stock"

    shortages: tuple[Shortage, ...]


@dataclass(eq=False)
class ReservationUnknownError(NotFoundError):
    """There is no such reservation."""

    code: ClassVar[str] = "reservation_unknown"


@dataclass(eq=False)
class ReservationExpiredError(ConflictError):
    """The reservation is no longer live: expired or released."""

    code: ClassVar[str] = "reservation_expired"


@dataclass(eq=False)
class RenewalLimitError(ConflictError):
    """The reservation was renewed as often as it may be."""

    code: ClassVar[str] = "renewal_limit"

    limit: int


@dataclass(eq=False)
class StockBelowReservedError(RejectedError):
    """An adjustment would leave fewer units than are reserved."""

    code: ClassVar[str] = "stock_below_reserved"

    on_hand: int
    reserved: int


@dataclass(eq=False)
class StockBusyError(BusyError):
    """The stock rows are locked by others for longer than the lock time-out."""


@dataclass(eq=False)
class AdjustmentInvalidError(RejectedError):
    """The adjustment makes no sense.

    Details: `delta_zero`, `delta_range`, `reason_unknown`, `max_length`, `location_unknown`.
    """

    code: ClassVar[str] = "adjustment_invalid"


@dataclass(eq=False)
class DriftUnrepairableError(ConflictError):
    """More is reserved than the ledger says is on hand: counters cannot be right until the shelf is counted."""

    code: ClassVar[str] = "drift_unrepairable"

    booked: int
    live: int


@dataclass(eq=False)
class StockUnknownError(NotFoundError):
    """There is no stock item of this SKU."""

    code: ClassVar[str] = "stock_unknown"


@dataclass(eq=False)
class LocationUnknownError(NotFoundError):
    """There is no such location."""

    code: ClassVar[str] = "location_unknown"


@dataclass(eq=False)
class LocationInUseError(ConflictError):
    """The location cannot be closed: it has units, or it is the first, which takes what names no location."""

    code: ClassVar[str] = "location_in_use"

    is_first: bool


@dataclass(eq=False)
class ReservationPinnedError(ConflictError):
    """A payment runs for the reservation."""

    code: ClassVar[str] = "reservation_pinned"
