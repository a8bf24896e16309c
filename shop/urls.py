"""Every path of the shop: pages, staff's pages, the API and the health checks."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from shop import health
from shop.accounts.web.language import LanguageView
from shop.api.fallback import nothing_here
from shop.personal.pages import customer_data
from shop.watch.metrics import metrics
from shop.watch.panel import availability

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("shop.api.urls")),
    path("api/", include("shop.api.fallback")),
    path("api", nothing_here),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/availability/<str:sku_id>/", admin.site.admin_view(availability), name="stock_availability"),
    path("admin/personal/<int:user_id>/", admin.site.admin_view(customer_data), name="customer_data"),
    path("admin/", admin.site.urls),
    path("", include("notifications.web.urls")),
    path("language/", LanguageView.as_view(), name="language"),
    path("accounts/", include("shop.accounts.web.urls")),
    path("accounts/", include("allauth.urls")),
    path("cart/", include("cart.web.urls")),
    path("", include("shop.checkout.web.urls")),
    path("", include("shop.catalog.web.urls")),
]

handler400 = "shop.core.web.errors.bad_request"
handler403 = "shop.core.web.errors.permission_denied"
handler404 = "shop.core.web.errors.page_not_found"
handler500 = "shop.core.web.errors.server_error"
