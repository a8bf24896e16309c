"""Frozen values of inventory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReservationState(StrEnum):
    """The life of a reservation: soft → hard | released | expired; nothing leaves the last three."""

    SOFT = "soft"
    HARD = "hard"
    RELEASED = "released"
    EXPIRED = "expired"


STAFF = "staff_"
"""How the cause of a reservation begins that staff ended; a `ReleaseReason` follows."""


class ReleaseReason(StrEnum):
    """Why staff ended a reservation; the shopper reads it."""

    ASKED = "asked"
    DUPLICATE = "duplicate"
    NEEDED = "needed"
    MISUSE = "misuse"


class LaneState(StrEnum):
    """What has become of a request in the lane of a hot SKU."""

    GRANTED = "granted"
    SHORT = "short"
    ELSEWHERE = "elsewhere"
    """Only the plain way can decide it."""
    BUSY = "busy"
    """Others keep the hot SKU locked."""


class StockEntryKind(StrEnum):
    """What kind of event a line of the ledger is."""

    INITIAL = "initial"
    ADJUST = "adjust"
    RECOUNT = "recount"
    SALE = "sale"
    RETURN = "return"
    REPAIR = "repair"
    """Counters were set to what ledger and reservations say; changes no units."""


class StockReason(StrEnum):
    """Why units on hand changed."""

    RECEIVED = "received"
    RETURNED = "returned"
    FOUND = "found"
    DAMAGED = "damaged"
    LOST = "lost"
    RECOUNT = "recount"
    CORRECTION = "correction"
    SALE = "sale"
    """Written by the sale itself, never chosen by staff."""


class AvailabilityState(StrEnum):
    """What a shopper is told about a SKU."""

    IN_STOCK = "in_stock"
    LOW = "low"
    SHORT = "short"
    """Fewer are available than the asker wants."""
    RESERVED_BY_OTHERS = "reserved_by_others"
    OUT = "out"
    DISCONTINUED = "discontinued"


@dataclass(frozen=True, slots=True)
class StockDemand:
    """So many units of one SKU."""

    sku_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Availability:
    """How much of one SKU there is, for one asker (units of the asker's own live reservation count as available)."""

    sku_id: str
    on_hand: int
    available: int
    """Units that this asker could reserve now, ≥ 0. Overdue soft reservations count as available."""
    state: AvailabilityState
    """Without regard to a wanted quantity: IN_STOCK, LOW (≤ 5), RESERVED_BY_OTHERS or OUT."""
    retry_after_seconds: int | None
    """When the next reserved units may come back, if state is RESERVED_BY_OTHERS."""


@dataclass(frozen=True, slots=True)
class ReservationView:
    """A reservation as others see it."""

    reservation_id: str
    owner: str
    state: ReservationState
    lines: tuple[StockDemand, ...]
    created_at: datetime
    expires_at: datetime
    renewals: int
    pinned_until: datetime | None = None
    """While a payment runs, the end that it moved to."""
    cause: str = ""
    """Why it ended."""


@dataclass(frozen=True, slots=True)
class StockDrift:
    """A SKU whose counters are not what they are counters of; in units."""

    sku_id: str
    on_hand: int
    booked: int
    """What the ledger says is on hand."""
    reserved: int
    live: int
    """What soft reservations add up to."""
    strays: int
    """Lines of reservations marked live that are not, or the other way round."""

    @property
    def is_repairable(self) -> bool:
        """Tell whether the counters can be set to what ledger and reservations say."""
        return 0 <= self.live <= self.booked


@dataclass(frozen=True, slots=True)
class LocationView:
    """A place where units stand."""

    code: str
    name: str
    position: int
    """Orders are filled from the lowest first."""
    is_open: bool


@dataclass(frozen=True, slots=True)
class Place:
    """How many units of one SKU stand in a location."""

    code: str
    name: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        """Tell how many can be reserved there."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class PlaceDrift:
    """A location whose counters of a SKU are not what they are counters of; in units, as `StockDrift`."""

    sku_id: str
    code: str
    on_hand: int
    booked: int
    reserved: int
    live: int

    @property
    def is_repairable(self) -> bool:
        """Tell whether the counters can be set to what ledger and reservations say."""
        return 0 <= self.live <= self.booked


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Units of a SKU's live reservations that come from no location, in a shop that has some."""

    sku_id: str
    units: int


@dataclass(frozen=True, slots=True)
class StockGauges:
    """What is reserved right now and how old it is."""

    live: int
    """Soft reservations, overdue ones among them."""
    live_units: int
    overdue: int
    pinned: int
    oldest_seconds: float
    oldest_overdue_seconds: float
    """How long the longest overdue one has waited for the sweep; 0 if none waits."""
    unavailable_skus: int
    """SKUs with a stock item of which nothing is available."""
    swept_seconds: float | None
    """How long ago the sweep came to its end; None if it never did."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A soft reservation as the panel of a SKU shows it."""

    reservation_id: str
    owner: str
    units: int
    """Of this SKU."""
    created_at: datetime
    expires_at: datetime
    renewals: int
    is_pinned: bool
    is_overdue: bool
    places: str
    """From where, such as “2 SHOP, 1 ANNEX”; empty if the shop has no locations."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A line of the ledger."""

    at: datetime
    delta: int
    on_hand_after: int
    kind: str
    reason: str
    note: str
    by: int | None
    reference: str
    place: str
    """The location's code; empty if it names none."""


@dataclass(frozen=True, slots=True)
class StockPanel:
    """Why a SKU is available or not: who has it, and what happened to it."""

    sku_id: str
    on_hand: int
    reserved: int
    available: int
    pinned_units: int
    overdue_units: int
    drift: StockDrift | None
    holders: tuple[Holder, ...]
    """The first ones to end, first."""
    holder_count: int
    next_back_units: int
    next_back_at: datetime | None
    """When the next live, unpinned reservation ends, and how many units that is."""
    ledger: tuple[LedgerLine, ...]
    refused: int
    """How often somebody was refused for want of it in the last hour, to ten minutes."""
    places: tuple[Place, ...] = ()
    """Where the units stand, in the order of filling; empty if the shop has no locations."""
    place_drifts: tuple[PlaceDrift, ...] = ()
