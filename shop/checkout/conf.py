"""Settings of checkout and payment (`CHECKOUT_…`, `STRIPE_…`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from shop.core.settings import require

OFFLINE_SECRET = "offline-gateway"  # noqa: S105 - the offline gateway's; production must set its own


@dataclass(frozen=True, slots=True)
class CheckoutConf:
    """What a shop may set."""

    gateway: str = "fake"
    """Which payment gateway serves the shop: `stripe`, or `fake`, which is offline and refused in production."""
    webhook_secret: str = OFFLINE_SECRET
    """Signs the provider's webhooks; two secrets separated by a comma are valid during rotation."""
    lock_seconds: int = 900
    """How long a quote stands (the price lock)."""
    pin_seconds: int = 1_800
    """How long a reservation lives once a payment has started."""
    open_checkouts: int = 3
    """Most open checkouts of one customer or guest."""
    reserved_units: int = 1_000
    """Most units that one customer or guest can have reserved at once; 0: no limit."""
    address_checkouts: int = 100
    """Most live reservations from one network address, behind which many people can stand; 0: no limit."""
    address_units: int = 3_000
    """Most units in those; 0: no limit."""
    webhook_tolerance_seconds: int = 300
    """How far a webhook's time may be off, either way."""

    refund_limit_minor: int = 20_000
    """Up to this amount, in minor units, one member of staff refunds alone; above it a second one has to agree."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(self.refund_limit_minor >= 0, "CHECKOUT_REFUND_LIMIT_MINOR", "must be 0 or more.")
        require(self.gateway in ("fake", "stripe"), "CHECKOUT_GATEWAY", "must be fake or stripe.")
        require(60 <= self.lock_seconds <= 86_400, "CHECKOUT_LOCK_SECONDS", "must be from 60 to 86400.")  # noqa: PLR2004
        require(60 <= self.pin_seconds <= 86_400, "CHECKOUT_PIN_SECONDS", "must be from 60 to 86400.")  # noqa: PLR2004
        require(1 <= self.open_checkouts <= 100, "CHECKOUT_OPEN_CHECKOUTS", "must be from 1 to 100.")  # noqa: PLR2004
        for name in ("reserved_units", "address_checkouts", "address_units"):
            is_fit = 0 <= getattr(self, name) <= 1_000_000  # noqa: PLR2004
            require(is_fit, f"CHECKOUT_{name.upper()}", "must be from 0 (no limit) to 1000000.")
        require(
            any(part.strip() for part in self.webhook_secret.split(",")),
            "CHECKOUT_WEBHOOK_SECRET",
            "must hold at least one secret.",
        )
        require(
            self.gateway == "fake" or self.webhook_secret != OFFLINE_SECRET,
            "CHECKOUT_WEBHOOK_SECRET",
            f"must be the provider's signing secret with CHECKOUT_GATEWAY={self.gateway}.",
        )
        require(
            1 <= self.webhook_tolerance_seconds <= 3_600,  # noqa: PLR2004
            "CHECKOUT_WEBHOOK_TOLERANCE_SECONDS",
            "must be from 1 to 3600.",
        )

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """List the secrets that are valid for webhooks, the one to sign with first."""
        return tuple(part.strip() for part in self.webhook_secret.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class StripeConf:
    """The account at Stripe, where CHECKOUT_GATEWAY=stripe."""

    secret_key: str = ""
    """The account's secret or restricted key (`sk_…`, `rk_…`); one for test mode is refused in production."""
    account: str = ""
    """The account's id (`acct_…`), if webhooks name it: what names another is not believed."""
    api_base: str = "https://api.stripe.com"
    """Where Stripe's API answers; another address only for tests on this machine."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(
            not self.secret_key or re.fullmatch(r"[sr]k_(test|live)_[A-Za-z0-9_]{4,250}", self.secret_key),
            "STRIPE_SECRET_KEY",
            "must be a secret or restricted key, such as sk_live_….",
        )
        address = urlsplit(self.api_base)
        require(
            address.scheme == "https" or address.hostname in ("127.0.0.1", "localhost"),
            "STRIPE_API_BASE",
            "must begin with https://.",
        )

    @property
    def is_live(self) -> bool:
        """Tell whether the key moves real money."""
        return "_live_" in self.secret_key


def conf() -> CheckoutConf:
    """Give the settings in force."""
    return settings.CHECKOUT
