"""Where the mail provider tells what became of mails: bounces, complaints, deliveries."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def mail_news(request: HttpRequest) -> HttpResponse:
    """Let anymail read the provider's news; without a provider, or without the secret that it shows, there is no page.

    A wrong secret, or a wrong signature of the provider's own, is answered by 400.

    :raises Http404: if the shop sends by no provider.
    """
    if not settings.MAIL_PROVIDER or not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        raise Http404
    answer: HttpResponse = _view(settings.MAIL_PROVIDER)(request)
    return answer


@lru_cache(maxsize=8)
def _view(provider: str) -> Any:  # noqa: ANN401 - anymail's
    """Find anymail's view for a provider. Its module knows all of them, and is loaded only where there is one."""
    patterns = import_module("anymail.urls").urlpatterns
    return next(pattern.callback for pattern in patterns if pattern.name == f"{provider}_tracking_webhook")
