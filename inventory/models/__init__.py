"""Stock, reservations and the ledger."""

from inventory.models.reservations import RESERVATION_STATES, Reservation, ReservationLine, ReservationShare
from inventory.models.stock import ENTRY_KINDS, REASONS, Location, LocationStock, StockEntry, StockItem
from inventory.models.working import SweepRecord

__all__ = [
    "ENTRY_KINDS",
    "REASONS",
    "RESERVATION_STATES",
    "Location",
    "LocationStock",
    "Reservation",
    "ReservationLine",
    "ReservationShare",
    "StockEntry",
    "StockItem",
    "SweepRecord",
]
