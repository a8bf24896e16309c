"""Settings of the API (`API_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class ApiConf:
    """What a shop may set. A limit of 0 means: none."""

    cart_writes_per_minute: int = 120
    """Of one customer or guest."""
    checkout_starts_per_minute: int = 10
    """Of one customer or guest."""
    codes_per_minute: int = 5
    """Discount codes that one customer or guest may try."""
    address_factor: int = 10
    """One network address may do so many times as much as one caller: many people can stand behind it."""
    trusted_proxies: int = 0
    """How many proxies of our own append to `X-Forwarded-For`; with 0 that header counts for nothing."""
    ready_lag_seconds: int = 60
    """How old undone work may be before `/readyz` says so."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(
            0 <= self.cart_writes_per_minute <= 100_000,  # noqa: PLR2004
            "API_CART_WRITES_PER_MINUTE",
            "must be from 0 (no limit) to 100000.",
        )
        require(
            0 <= self.checkout_starts_per_minute <= 100_000,  # noqa: PLR2004
            "API_CHECKOUT_STARTS_PER_MINUTE",
            "must be from 0 (no limit) to 100000.",
        )
        require(
            0 <= self.codes_per_minute <= 100_000,  # noqa: PLR2004
            "API_CODES_PER_MINUTE",
            "must be from 0 (no limit) to 100000.",
        )
        require(1 <= self.address_factor <= 10_000, "API_ADDRESS_FACTOR", "must be from 1 to 10000.")  # noqa: PLR2004
        require(0 <= self.trusted_proxies <= 10, "API_TRUSTED_PROXIES", "must be from 0 to 10.")  # noqa: PLR2004
        require(5 <= self.ready_lag_seconds <= 86_400, "API_READY_LAG_SECONDS", "must be from 5 to 86400.")  # noqa: PLR2004


def conf() -> ApiConf:
    """Give the settings in force."""
    return settings.API
