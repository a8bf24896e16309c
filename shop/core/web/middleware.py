"""What every request passes through, as lean as it can be: the cheapest answer pays for it as well."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property

import structlog
from csp.constants import HEADER
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

Handler = Callable[[HttpRequest], HttpResponseBase]

log = structlog.get_logger(__name__)
_standard = logging.getLogger(__name__)


def request_log(get_response: Handler) -> Handler:
    """Give each request a number, which all of its log lines and its problems bear, and log one line when it is over.

    The number is ours: a client cannot write into the logs. The customer is named where the answer needed to know who
    asked; nobody is looked up for the log. A crash is logged with its trace by Django itself.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        bound = structlog.contextvars.bind_contextvars(request_id=str(uuid.uuid4()))
        began = time.perf_counter()
        try:
            response = get_response(request)
            level = _level(response.status_code)
            if _standard.isEnabledFor(level):
                user = getattr(request, "_cached_user", None)
                log.log(
                    level,
                    "request_finished",
                    code=response.status_code,
                    request=f"{request.method} {request.path}",
                    user_id=user.pk if user else None,
                    ms=round((time.perf_counter() - began) * 1000),
                )
            return response
        finally:
            structlog.contextvars.reset_contextvars(**bound)

    return handle


def kept_nowhere(get_response: Handler) -> Handler:
    """Let an answer that does not say how it may be kept be kept nowhere: pages of packages are somebody's own, too."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return handle


def _level(status: int) -> int:
    return {4: logging.WARNING, 5: logging.ERROR}.get(status // 100, logging.INFO)


EDGE_LANGUAGE = "X-Language"
"""What an edge cache that keeps public pages by language sends: the cookie's value, or `-` where there is none."""
_STAFF = ("/admin/", "en-gb")


def language_of(request: HttpRequest) -> str:
    """Tell in which of the shop's languages to answer: the cookie's, else the browser's. Staff's pages have one."""
    if request.path.startswith(_STAFF[0]):
        return _STAFF[1]
    if len(settings.LANGUAGES) == 1:
        return str(settings.LANGUAGES[0][0])
    return translation.get_language_from_request(request)


def locale(get_response: Handler) -> Handler:
    """Answer in the visitor's language, as Django's `LocaleMiddleware` does for paths that name none."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        request.LANGUAGE_CODE = language_of(request)
        translation.activate(request.LANGUAGE_CODE)
        response = get_response(request)
        if "Vary" in response.headers:
            patch_vary_headers(response, ("Accept-Language",))
        else:
            response.headers["Vary"] = "Accept-Language"
        response.headers.setdefault("Content-Language", translation.get_language())
        _say_cached_by_language(request, response)
        return response

    return handle


def _say_cached_by_language(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let a public page be kept only by caches that show that they keep one for each chosen language.

    `Vary` covers what a browser asks for by itself. Pictures and the API's public answers hold no words of ours.
    """
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if len(settings.LANGUAGES) == 1 or not (is_page and response.headers.get("Cache-Control", "").startswith("public")):
        return
    if request.headers.get(EDGE_LANGUAGE) == (request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) or "-"):
        patch_vary_headers(response, (EDGE_LANGUAGE,))
    else:
        response.headers["Cache-Control"] = "private, no-cache"


# What django-csp's decorators leave on an answer.
_OWN_POLICY = frozenset(
    f"_csp_{what}{suffix}" for what in ("exempt", "config", "update", "replace") for suffix in ("", "_ro")
)


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp, which writes the policy anew for every answer; nearly all have the one of the settings, made once."""

    @cached_property
    def policy(self) -> str:
        """The policy of the settings."""
        return str(build_policy(**asdict(PolicyParts())))

    def process_request(self, request: HttpRequest) -> None:
        """Prepare nothing: no page of ours has a nonce."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Set the header, unless the answer has one or was given a policy of its own (django-csp's decorators)."""
        if not _OWN_POLICY.isdisjoint(vars(response)):
            answered: HttpResponseBase = super().process_response(request, response)
            return answered
        response.headers.setdefault(HEADER, self.policy)
        return response


class LazyMessageMiddleware(MessageMiddleware):
    """Django's messages, whose storage is made when somebody writes or reads one: staff and account pages."""

    def process_request(self, request: HttpRequest) -> None:
        """Promise a storage."""

        def make() -> object:
            request._messages_made = True  # type: ignore[attr-defined]  # noqa: SLF001 - ours
            return default_storage(request)

        request._messages = SimpleLazyObject(make)  # type: ignore[attr-defined]  # noqa: SLF001 - Django's own name

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Keep what was written, if a storage was made."""
        if getattr(request, "_messages_made", False):
            return super().process_response(request, response)
        return response
