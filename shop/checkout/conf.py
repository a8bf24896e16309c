"""Settings of checkout and payment (`CHECKOUT_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class CheckoutConf:
    """What a shop may set."""

    gateway: str = "fake"
    """Which payment gateway serves the shop; `fake` is offline and refused in production."""
    webhook_secret: str = "offline-gateway"  # noqa: S105 - the offline gateway's; production must set its own
    """Signs the provider's webhooks; two secrets separated by a comma are valid during rotation."""
    lock_seconds: int = 900
    """How long a quote stands (the price lock)."""
    pin_seconds: int = 1_800
    """How long a reservation lives once a payment has started."""
    open_checkouts: int = 3
    """Most open checkouts of one customer or guest."""
    webhook_tolerance_seconds: int = 300
    """How far a webhook's time may be off, either way."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(self.gateway == "fake", "CHECKOUT_GATEWAY", "must be fake.")
        require(60 <= self.lock_seconds <= 86_400, "CHECKOUT_LOCK_SECONDS", "must be from 60 to 86400.")  # noqa: PLR2004
        require(60 <= self.pin_seconds <= 86_400, "CHECKOUT_PIN_SECONDS", "must be from 60 to 86400.")  # noqa: PLR2004
        require(1 <= self.open_checkouts <= 100, "CHECKOUT_OPEN_CHECKOUTS", "must be from 1 to 100.")  # noqa: PLR2004
        require(
            any(part.strip() for part in self.webhook_secret.split(",")),
            "CHECKOUT_WEBHOOK_SECRET",
            "must hold at least one secret.",
        )
        require(
            1 <= self.webhook_tolerance_seconds <= 3_600,  # noqa: PLR2004
            "CHECKOUT_WEBHOOK_TOLERANCE_SECONDS",
            "must be from 1 to 3600.",
        )


def conf() -> CheckoutConf:
    """Give the settings in force."""
    return settings.CHECKOUT
