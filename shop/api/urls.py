"""Every address of the API, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/", include("shop.accounts.api.urls")),
    path("", include("shop.catalog.api.urls")),
    path("", include("cart.api.urls")),
    path("", include("shop.checkout.api.urls")),
]
