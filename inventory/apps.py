"""Django's entry for this app."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """The app's configuration."""

    name = "inventory"
    label = "inventory"
    verbose_name = "Inventory"

    def ready(self) -> None:
        """Connect the words of this app's refusals."""
        from inventory import messages  # noqa: F401
