"""Django's entry for this app."""

from django.apps import AppConfig


class PersonalConfig(AppConfig):
    """The app's configuration."""

    name = "shop.personal"
    label = "personal"
    verbose_name = "Customers' data"
