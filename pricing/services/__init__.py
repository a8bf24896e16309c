"""Writes of pricing: one function a use case."""

from pricing.services.codes import issue_codes, publish_code, revoke_codes
from pricing.services.deltas import log_deltas
from pricing.services.forgetting import forget_customer
from pricing.services.prices import add_prices, set_prices
from pricing.services.promotions import NewPromotion, add_promotion, set_segment
from pricing.services.uses import claim_uses, finish_claims, release_claims, repair_counter

__all__ = [
    "NewPromotion",
    "add_prices",
    "add_promotion",
    "claim_uses",
    "finish_claims",
    "forget_customer",
    "issue_codes",
    "log_deltas",
    "publish_code",
    "release_claims",
    "repair_counter",
    "revoke_codes",
    "set_prices",
    "set_segment",
]
