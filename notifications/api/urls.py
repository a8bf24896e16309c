"""Addresses of the customer's preferences."""

from __future__ import annotations

from django.urls import URLPattern, path

from notifications.api.views import PreferencesView

urlpatterns: list[URLPattern] = [
    path("me/preferences", PreferencesView.as_view(), name="api-preferences"),
]
