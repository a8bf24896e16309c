"""Django's entry for this app."""

from django.apps import AppConfig


class WatchConfig(AppConfig):
    """The app's configuration."""

    name = "shop.watch"
    label = "watch"
    verbose_name = "Watch"
