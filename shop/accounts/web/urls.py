"""Paths of the account pages that are ours; allauth's follow them."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from shop.accounts.web import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("logout/", views.SignOutView.as_view(), name="account_logout"),
]
