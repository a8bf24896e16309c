"""Addresses of the cart and the saved list."""

from __future__ import annotations

from django.urls import URLPattern, path

from cart.api import codes, deferred, merging, region, saved, views

urlpatterns: list[URLPattern] = [
    path("cart", views.CartView.as_view(), name="api-cart"),
    path("cart/count", views.CountView.as_view(), name="api-cart-count"),
    path("cart/items", views.LineListView.as_view(), name="api-lines"),
    path("cart/items/<path:sku_id>", views.LineView.as_view(), name="api-line"),
    path("cart/codes/<path:code>", codes.CodeView.as_view(), name="api-code"),
    path("cart/region", region.RegionView.as_view(), name="api-cart-region"),
    path("cart/undo", views.UndoView.as_view(), name="api-undo"),
    path("cart/merge", merging.MergeView.as_view(), name="api-merge"),
    path("cart/notices/ack", views.AcknowledgeView.as_view(), name="api-acknowledge"),
    path("cart/moves", saved.MoveListView.as_view(), name="api-moves"),
    path("saved-lines", deferred.DeferredListView.as_view(), name="api-deferred"),
    path("saved-items", saved.SavedListView.as_view(), name="api-saved"),
    path("saved-items/<path:sku_id>", saved.SavedLineView.as_view(), name="api-saved-line"),
]
