"""Django's entry for this app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WatchConfig(AppConfig):
    """The app's configuration."""

    name = "shop.watch"
    label = "watch"
    verbose_name = "Watch"

    def ready(self) -> None:
        """Make the groups of staff when all apps are migrated."""
        from shop.watch.groups import make_groups

        post_migrate.connect(make_groups, dispatch_uid="watch.make_groups")
