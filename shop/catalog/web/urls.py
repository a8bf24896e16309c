"""Paths of the product pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from shop.catalog.web import views

app_name = "catalog"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.ProductListView.as_view(), name="list"),
    path("p/<slug:slug>/", views.ProductView.as_view(), name="product"),
    path("pictures/<str:name>.svg", views.PictureView.as_view(), name="picture"),
    path("pictures/<str:name>.png", views.BitmapView.as_view(), name="bitmap"),
]
