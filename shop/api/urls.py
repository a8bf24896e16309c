"""Every address of the API, version 1."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from shop.api.problem_pages import ProblemPageView
from shop.api.regions import RegionListView
from shop.api.schema import SchemaView
from shop.api.skus import SkuListView, SkuView

urlpatterns: list[URLPattern | URLResolver] = [
    # Most asked for, so looked at first.
    path("", include("cart.api.urls")),
    path("auth/", include("shop.accounts.api.urls")),
    path("skus", SkuListView.as_view(), name="api-skus"),
    path("skus/<path:sku_id>", SkuView.as_view(), name="api-sku"),
    path("regions", RegionListView.as_view(), name="api-regions"),
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("problems/<str:code>", ProblemPageView.as_view(), name="api-problem"),
    path("", include("shop.checkout.api.urls")),
    path("", include("notifications.api.urls")),
]
