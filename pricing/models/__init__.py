"""Tables of pricing."""

from pricing.models.deltas import PriceDelta
from pricing.models.prices import MAX_UNIT_PRICE_MINOR, Price
from pricing.models.promotions import CustomerSegment, DiscountCode, Promotion
from pricing.models.uses import PromotionUse, Redemption

__all__ = [
    "MAX_UNIT_PRICE_MINOR",
    "CustomerSegment",
    "DiscountCode",
    "Price",
    "PriceDelta",
    "Promotion",
    "PromotionUse",
    "Redemption",
]
