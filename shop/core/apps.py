"""Django's entry for the core."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The core: no models; registers system checks."""

    name = "shop.core"
    label = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        """Connect the checks."""
        from shop.core import checks  # noqa: F401
