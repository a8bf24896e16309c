"""Django's entry for this app."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """The app's configuration."""

    name = "shop.catalog"
    label = "catalog"
    verbose_name = "Catalog"

    def ready(self) -> None:
        """Connect the words of this app's refusals."""
        from shop.catalog import messages  # noqa: F401
