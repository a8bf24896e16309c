"""Settings of notifications (`NOTIFICATIONS_…`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from shop.core.settings import require


@dataclass(frozen=True, slots=True)
class NotificationsConf:
    """What a shop may set."""

    dispatch_seconds: int = 10
    """How often due mails are looked for."""
    lease_seconds: int = 300
    """How long a worker may hold a mail it claimed."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(1 <= self.dispatch_seconds <= 3_600, "NOTIFICATIONS_DISPATCH_SECONDS", "must be from 1 to 3600.")  # noqa: PLR2004
        require(10 <= self.lease_seconds <= 3_600, "NOTIFICATIONS_LEASE_SECONDS", "must be from 10 to 3600.")  # noqa: PLR2004


def conf() -> NotificationsConf:
    """Give the settings in force."""
    return settings.NOTIFICATIONS
