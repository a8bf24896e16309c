"""Django's entry for this app."""

from django.apps import AppConfig


class CartConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "cart"
    label = "cart"
    verbose_name = "Cart"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect checks, words and receivers."""
        from cart import checks, messages, receivers  # noqa: F401
