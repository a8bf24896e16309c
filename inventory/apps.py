"""Django's entry for this app."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "inventory"
    label = "inventory"
    verbose_name = "Inventory"
