"""Settings of inventory (`INVENTORY_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class InventoryConf:
    """What a shop may set."""

    soft_ttl_seconds: int = 600
    """How long a soft reservation lives, and what one renewal adds."""
    sweep_seconds: int = 15
    """How often overdue reservations are swept up."""
    renewals: int = 10
    """How often a reservation may be renewed (WCAG 2.2.1: at least ten times)."""
    low_stock: int = 5
    """At or below this many available units the number is shown."""
    hot_after_waits: int = 50
    """After so many long waits within ten minutes a SKU is hot by itself, for ten minutes; 0: only staff say so."""
    lane_wait_seconds: int = 3
    """How long a request for a hot SKU may wait in its lane before the answer is “busy”."""
    keep_days: int = 90
    """How many days ended reservations are kept; what was sold stays in the ledger and with the order."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(10 <= self.soft_ttl_seconds <= 86_400, "INVENTORY_SOFT_TTL_SECONDS", "must be from 10 to 86400.")  # noqa: PLR2004
        require(1 <= self.sweep_seconds <= 3_600, "INVENTORY_SWEEP_SECONDS", "must be from 1 to 3600.")  # noqa: PLR2004
        require(0 <= self.renewals <= 100, "INVENTORY_RENEWALS", "must be from 0 to 100.")  # noqa: PLR2004
        require(0 <= self.low_stock <= 1_000, "INVENTORY_LOW_STOCK", "must be from 0 to 1000.")  # noqa: PLR2004
        require(0 <= self.hot_after_waits <= 100_000, "INVENTORY_HOT_AFTER_WAITS", "must be from 0 to 100000.")  # noqa: PLR2004
        require(1 <= self.lane_wait_seconds <= 60, "INVENTORY_LANE_WAIT_SECONDS", "must be from 1 to 60.")  # noqa: PLR2004
        require(7 <= self.keep_days <= 3_650, "INVENTORY_KEEP_DAYS", "must be from 7 to 3650.")  # noqa: PLR2004


def conf() -> InventoryConf:
    """Give the settings in force."""
    return settings.INVENTORY
