"""Staff's pages of stock."""

from inventory.admin import lists

__all__ = ["lists"]
