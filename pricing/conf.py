"""Settings of pricing (`PRICING_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class PricingConf:
    """What a shop may set."""

    currency: str = "GBP"
    """The currency of carts, ISO 4217."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(
            len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper(),  # noqa: PLR2004 - ISO 4217
            "PRICING_CURRENCY",
            "must be an ISO 4217 code in capitals, such as GBP.",
        )


def conf() -> PricingConf:
    """Give the settings in force."""
    return settings.PRICING
