"""Django's entry for this app."""

from django.apps import AppConfig


class CheckoutConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "shop.checkout"
    label = "checkout"
    verbose_name = "Checkout"

    def ready(self) -> None:
        """Connect the words of this app's refusals, and its receiver."""
        from shop.checkout import messages, receivers  # noqa: F401
