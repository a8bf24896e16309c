"""Staff's pages of pricing."""

from pricing.admin import codes, prices, promotions

__all__ = ["codes", "prices", "promotions"]
