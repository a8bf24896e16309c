"""Django's entry for its admin, on the site of our own."""

from django.contrib.admin.apps import AdminConfig


class ShopAdminConfig(AdminConfig):
    """The admin with `ShopAdminSite`."""

    default_site = "shop.watch.site.ShopAdminSite"
