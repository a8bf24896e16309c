"""Staff's pages of pricing."""

from pricing.admin import codes, deltas, prices, promotions

__all__ = ["codes", "deltas", "prices", "promotions"]
