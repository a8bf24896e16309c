"""Where the mail provider tells what became of mails, and passes on those that opt out."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from notifications.conf import conf


@csrf_exempt
def mail_news(request: HttpRequest) -> HttpResponse:
    """Let anymail read the provider's news; without a provider, or without the secret that it shows, there is no page.

    A wrong secret, or a wrong signature of the provider's own, is answered by 400.

    :raises Http404: if the shop sends by no provider.
    """
    return _answer(request, "tracking")


@csrf_exempt
def mail_received(request: HttpRequest) -> HttpResponse:
    """Let anymail read a mail that the provider passes on; only where there is a mailbox for that.

    :raises Http404: if there is none.
    """
    if not conf().unsubscribe_mailbox:
        raise Http404
    return _answer(request, "inbound")


def hears(provider: str, what: str) -> bool:
    """Tell whether the shop hears of news (`tracking`), or of incoming mails (`inbound`)."""
    return bool(provider and settings.ANYMAIL.get("WEBHOOK_SECRET") and _view(provider, what))


def _answer(request: HttpRequest, what: str) -> HttpResponse:
    if not hears(settings.MAIL_PROVIDER, what):
        raise Http404
    answer: HttpResponse = _view(settings.MAIL_PROVIDER, what)(request)
    return answer


@lru_cache(maxsize=8)
def _view(provider: str, what: str) -> Any:  # noqa: ANN401 - anymail's
    """Find anymail's view for a provider; None if it has none. Its module is loaded only where there is a provider."""
    patterns = import_module("anymail.urls").urlpatterns
    return next((pattern.callback for pattern in patterns if pattern.name == f"{provider}_{what}_webhook"), None)
