"""Django's entry for this app."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "shop.catalog"
    label = "catalog"
    verbose_name = "Catalog"
