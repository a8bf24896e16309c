"""Paths of the cart pages. Rows are addressed by SKU, never by position."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from cart.web import adopting, codes, lines, merging, products, region, saved, views

app_name = "cart"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.CartView.as_view(), name="cart"),
    path("add/", products.AddView.as_view(), name="add"),
    path("save/", products.SaveView.as_view(), name="save"),
    path("lines/<str:sku_id>/", lines.LineView.as_view(), name="line"),
    path("lines/<str:sku_id>/remove/", lines.LineRemoveView.as_view(), name="line_remove"),
    path("lines/<str:sku_id>/save/", lines.LineSaveView.as_view(), name="line_save"),
    path("saved/<str:sku_id>/move/", saved.SavedMoveView.as_view(), name="saved_move"),
    path("saved/<str:sku_id>/remove/", saved.SavedRemoveView.as_view(), name="saved_remove"),
    path("codes/", codes.CodeView.as_view(), name="codes"),
    path("codes/remove/", codes.CodeRemoveView.as_view(), name="code_remove"),
    path("adopt/", adopting.AdoptView.as_view(), name="adopt"),
    path("merge/", merging.MergeView.as_view(), name="merge"),
    path("region/", region.RegionView.as_view(), name="region"),
    path("undo/", views.UndoView.as_view(), name="undo"),
    path("notices/ack/", views.AcknowledgeView.as_view(), name="acknowledge"),
    path("empty/", views.EmptyView.as_view(), name="empty"),
]
