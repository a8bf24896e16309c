"""Writes of pricing: one function a use case."""

from pricing.services.codes import (
    claim_codes,
    finish_claims,
    issue_codes,
    publish_code,
    release_claims,
    repair_counter,
    revoke_codes,
)
from pricing.services.deltas import log_deltas
from pricing.services.prices import add_prices, set_prices
from pricing.services.promotions import NewPromotion, add_promotion, set_segment

__all__ = [
    "NewPromotion",
    "add_prices",
    "add_promotion",
    "claim_codes",
    "finish_claims",
    "issue_codes",
    "log_deltas",
    "publish_code",
    "release_claims",
    "repair_counter",
    "revoke_codes",
    "set_prices",
    "set_segment",
]
