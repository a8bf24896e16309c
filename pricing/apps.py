"""Django's entry for this app."""

from django.apps import AppConfig


class PricingConfig(AppConfig):
    """The app's configuration."""

    name = "pricing"
    label = "pricing"
    verbose_name = "Pricing"

    def ready(self) -> None:
        """Connect the words of this app's refusals."""
        from pricing import messages  # noqa: F401
