"""Django's entry for this app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "notifications"
    label = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        """Connect checks, words and the receiver."""
        from notifications import checks, messages, receivers  # noqa: F401
