"""Django's entry for this app."""

from django.apps import AppConfig


class PricingConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "pricing"
    label = "pricing"
    verbose_name = "Pricing"
