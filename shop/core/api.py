"""The view that every API address is made of: strict at the door, the same headers on every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.core import limits
from shop.core.fields import validated
from shop.core.http import check_query, has_csrf_token, idempotency_key, is_cross_site
from shop.core.parsers import MAX_BYTES, parse_json
from shop.core.problems import ApiProblem
from shop.core.web.origin import is_same_origin

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_NAMES: frozenset[str] = frozenset()


class JsonNegotiation(DefaultContentNegotiation):
    """JSON for whoever takes it; the usual headers decide without parsing."""

    def select_renderer(  # type: ignore[override]  # DRF's stubs say less than its code
        self,
        request: Request,
        renderers: list[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Choose the one renderer.

        :raises NotAcceptable: if `Accept` rules JSON and problems out.
        """
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        if "*/*" in accept or "json" in accept:
            return renderers[0], renderers[0].media_type
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Choose the one parser: the content type was checked at the door."""
        return next(iter(parsers))


class ApiView(APIView):
    """An address of the API. Subclasses make one call into the domain a method."""

    content_negotiation_class = JsonNegotiation
    query: ClassVar[frozenset[str]] = _NO_NAMES
    """Query parameters of GET; no other method takes any, but `expand` where it is named here."""
    cache_control: ClassVar[str] = "private, no-cache"
    """Of successful reads; everything else is `no-store`."""
    vary: ClassVar[tuple[str, ...]] = ()
    limited: ClassVar[Mapping[str, str]] = {}
    """Method → scope of the limit that counts it."""
    is_raw = False
    """The body is not JSON for us (webhooks)."""
    needs_origin = True
    """A change by a guest's cookie must prove where it comes from."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever the path holds
        """Check everything that needs no domain, cheapest first."""
        method = request.method or ""
        if method.lower() not in self.http_method_names or not hasattr(self, method.lower()):
            self.http_method_not_allowed(request, *args, **kwargs)
        plain = request._request  # noqa: SLF001 - Django's request under DRF's
        self._check_body(plain)
        names = self.query if method in ("GET", "HEAD") else self.query & {"expand"}
        check_query(plain, names)
        super().initial(request, *args, **kwargs)
        if method not in SAFE_METHODS:
            self._check_origin(request)
            self._check_limit(request)

    def _check_body(self, request: HttpRequest) -> None:
        """Refuse bodies of another kind or size before anything is read.

        :raises ApiProblem: 413 or 415.
        """
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            raise ApiProblem("bad_request") from None
        if length > MAX_BYTES:
            raise ApiProblem("body_too_large")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ApiProblem("unsupported_media_type")
        if length <= 0 or self.is_raw or request.method in SAFE_METHODS:
            return
        charset = (request.content_params or {}).get("charset", "utf-8").lower()
        if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
            raise ApiProblem("unsupported_media_type")

    def _check_origin(self, request: Request) -> None:
        """Ask a guest's cookie where it comes from: DRF checks signed-in sessions only.

        :raises ApiProblem: `csrf_failed` (403).
        """
        plain = request._request  # noqa: SLF001
        if not self.needs_origin or request.auth is not None or request.user.is_authenticated:
            return
        if "Cart-Session" in plain.headers:
            return
        if is_same_origin(plain):
            return
        carries_cookie = any(name.endswith("cart_session") for name in plain.COOKIES)
        if (carries_cookie or is_cross_site(plain)) and not has_csrf_token(plain):
            raise ApiProblem("csrf_failed")

    def _check_limit(self, request: Request) -> None:
        """Count the request where its method is limited.

        :raises ApiProblem: `rate_limited` (429).
        """
        scope = self.limited.get(request.method or "")
        if scope is None:
            return
        standing = limits.count_request(scope, request._request, who=self.caller(request))  # noqa: SLF001
        if standing is None:
            return
        self.headers_of_all = standing.headers
        if standing.is_over:
            raise ApiProblem("rate_limited", retry_after_seconds=standing.reset_seconds)

    def caller(self, request: Request) -> str:
        """Name whose requests are counted; empty for somebody unknown, who is counted by network address alone."""
        return f"u:{request.user.pk}" if request.user.is_authenticated else ""

    headers_of_all: Mapping[str, str] = {}

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - DRF's
        """Add the headers that every answer has."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if "Cache-Control" not in response:
            is_read = request.method in ("GET", "HEAD") and response.status_code < 400  # noqa: PLR2004 - failures
            response["Cache-Control"] = self.cache_control if is_read else "no-store"
        for name, value in self.headers_of_all.items():
            response[name] = value
        if self.vary:
            response["Vary"] = ", ".join(self.vary)
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: `Allow` belongs to 405 and OPTIONS."""
        return {}

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # noqa: ANN401
        """Say what this address takes; changes nothing, promises no other origin anything."""
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def body(self, serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
        """Read and check the body.

        :raises ApiProblem: `malformed` (400), also if it is empty; `unknown_parameter` (400).
        :raises ValidationError: if it does not fit.
        """
        if not int(request.META.get("CONTENT_LENGTH") or 0):
            parse_json(b"")
        return validated(serializer, request.data)

    def key(self, request: Request, *, is_required: bool) -> str:
        """Read `Idempotency-Key`, empty if there is none and none is needed."""
        return idempotency_key(request._request, is_required=is_required)  # noqa: SLF001


def plain(request: Request) -> HttpRequest:
    """Give Django's request under DRF's; its `user` is the one that DRF found."""
    return request._request  # noqa: SLF001
