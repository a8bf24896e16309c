"""Settings of the cart (`CART_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from cart.types import MergePolicy
from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class CartConf:
    """What a shop may set."""

    redis_url: str = ""
    """Where carts live; filled in by the embedded servers when empty."""
    partitions: int = 64
    """How many event streams and cluster slots carts are spread over. Never change it on a filled server."""
    ttl_days: int = 30
    """A cart lives so long after its last change."""
    max_lines: int = 100
    max_quantity: int = 99
    max_saved: int = 200
    """Most different SKUs on a saved list."""
    saved_ttl_days: int = 90
    """A saved list lives so long after the last change."""
    merge_policy: str = MergePolicy.MAX.value
    guest_storage: str = "server"
    """Where guests' carts are kept: `server`, or `client`, in the browser until sign-in or checkout."""
    edge_cache: bool = False
    """An edge cache stands in front that keeps guests' carts for some seconds, as `docs/edge.md` says."""
    history_days: int = 90
    """Each change of a cart can be looked up by staff for so long; 0 keeps no history."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(1 <= self.partitions <= 16_384, "CART_PARTITIONS", "must be from 1 to 16384.")  # noqa: PLR2004
        require(1 <= self.ttl_days <= 365, "CART_TTL_DAYS", "must be from 1 to 365.")  # noqa: PLR2004
        require(1 <= self.max_lines <= 1_000, "CART_MAX_LINES", "must be from 1 to 1000.")  # noqa: PLR2004
        require(1 <= self.max_quantity <= 9_999, "CART_MAX_QUANTITY", "must be from 1 to 9999.")  # noqa: PLR2004
        require(1 <= self.max_saved <= 2_000, "CART_MAX_SAVED", "must be from 1 to 2000.")  # noqa: PLR2004
        require(
            self.ttl_days <= self.saved_ttl_days <= 730,  # noqa: PLR2004
            "CART_SAVED_TTL_DAYS",
            "must be from CART_TTL_DAYS to 730: a saved list outlives its cart.",
        )
        require(self.guest_storage in ("server", "client"), "CART_GUEST_STORAGE", "must be server or client.")
        require(0 <= self.history_days <= 730, "CART_HISTORY_DAYS", "must be from 0 to 730.")  # noqa: PLR2004
        require(
            self.merge_policy in list(MergePolicy), "CART_MERGE_POLICY", f"must be one of {', '.join(MergePolicy)}."
        )


def conf() -> CartConf:
    """Read the settings in force."""
    return settings.CART
