"""Django's entry for this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The app's configuration; `ready` connects its words and receivers."""

    name = "shop.accounts"
    label = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        """Connect this app's receiver."""
        from shop.accounts import receivers  # noqa: F401
