"""Sign-in, sign-up and all else of allauth's app client, below /api/v1/auth/."""

from __future__ import annotations

from allauth.headless import urls as headless
from django.urls import URLPattern, URLResolver

from shop.accounts.api.problems import under_our_rules

# Nobody here signs in by phone, and to a method that they do not expect these views answer by breaking.
PHONE = frozenset({"manage_phone", "verify_phone", "resend_phone_verification_code"})

app_name = "headless"
urlpatterns: list[URLPattern | URLResolver] = under_our_rules(headless.urlpatterns, without=PHONE)
