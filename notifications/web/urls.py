"""Paths of mail links and preferences."""

from __future__ import annotations

from django.urls import URLPattern, path

from notifications.web import consenting, hooks, opening, restoring, trapping

app_name = "notifications"
urlpatterns: list[URLPattern] = [
    path("c/r/<str:token>", restoring.RestoreLinkView.as_view(), name="restore_link"),
    path("c/restore/", restoring.RestoreView.as_view(), name="restore"),
    path("e/u/<str:token>", consenting.UnsubscribeView.as_view(), name="unsubscribe"),
    path("e/p/<str:token>", consenting.PreferencesLinkView.as_view(), name="preferences_link"),
    path("e/o/<str:token>.gif", opening.OpenView.as_view(), name="open"),
    path("e/h/<str:token>", trapping.TrapView.as_view(), name="trap"),
    path("e/preferences/", consenting.LinkPreferencesView.as_view(), name="link_preferences"),
    path("hooks/mail/", hooks.mail_news, name="mail_news"),
    path("hooks/mail/inbound/", hooks.mail_received, name="mail_received"),
    path("accounts/preferences/", consenting.PreferencesView.as_view(), name="preferences"),
]
