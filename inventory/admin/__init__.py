"""Staff's pages of stock."""

from inventory.admin import lists, locations, reservations

__all__ = ["lists", "locations", "reservations"]
