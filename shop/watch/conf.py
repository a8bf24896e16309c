"""Settings of the watch (`WATCH_…`)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class WatchConf:
    """What a shop may set."""

    metrics_allow: str = "127.0.0.1/32,::1/128"
    """From which networks `/metrics` may be read, separated by commas; others get 404."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        try:
            self.networks()
        except ValueError as error:
            require(condition=False, name="WATCH_METRICS_ALLOW", sentence=f"{error}.")

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Read the networks.

        :raises ValueError: if one is none.
        """
        return tuple(ip_network(text.strip()) for text in self.metrics_allow.split(",") if text.strip())


def conf() -> WatchConf:
    """Give the settings in force."""
    return settings.WATCH
