"""The reads that guests ask for all the time, answered at the door: before session, account, language and framework."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from redis.exceptions import RedisError

from cart import identity, selectors
from cart.api.edge import CartApiView
from cart.api.representations import cart_json, count_json
from cart.middleware import EDGE_KEY
from cart.types import Cart
from shop.core.errors import UnavailableError
from shop.core.http import is_plain_read
from shop.core.preconditions import etag, is_unchanged, known_version
from shop.core.web.middleware import Handler, language_of

Writer = Callable[[Cart], dict[str, Any]]

_WRITERS: Mapping[str, Writer] = {"api-cart": cart_json, "api-cart-count": count_json}
_VARY = ", ".join((*CartApiView.vary, "Accept-Language"))
_EDGE_KEY = "HTTP_" + EDGE_KEY.upper().replace("-", "_")
# As the framework's renderer writes: compact, UTF-8.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def guest_reads(get_response: Handler) -> Handler:
    """Answer a guest's `GET` of the minimal cart and of its count, where that is all there is to do.

    Whoever sends a query, an account's session or a rarer header, and whatever goes wrong, goes the ordinary way, to
    the same answer: tests hold both to the same bytes and headers. Stands inside everything that sets headers for all
    answers, and outside everything that asks who is signed in.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        write = _writers().get(request.path)
        if write is None or not is_plain_read(request) or _EDGE_KEY in request.META:
            return get_response(request)
        request.get_host()  # refuses a host that is not ours, as `CommonMiddleware` does
        try:
            response = _answer(request, write)
        except (DatabaseError, RedisError, UnavailableError):
            response = None
        return response or get_response(request)

    return handle


@cache
def _writers() -> Mapping[str, Writer]:
    return {reverse(name): write for name, write in _WRITERS.items()}


def _answer(request: HttpRequest, write: Writer) -> HttpResponse | None:
    """Answer with the cart, or 304 after reading one field; None if there is only PostgreSQL's copy to show."""
    ref, version = identity.guest_ref(request), known_version(request)
    if version is not None and selectors.is_version(ref=ref, version=version):
        return _respond(request, etag(version), None)
    cart = selectors.get_cart(ref=ref)
    if cart.is_copy:
        return None
    tag = etag(cart.version)
    return _respond(request, tag, None if is_unchanged(request, tag) else write(cart))


def _respond(request: HttpRequest, tag: str, body: dict[str, Any] | None) -> HttpResponse:
    content = b"" if body is None else _encode(body).encode()
    headers = {
        "ETag": tag,
        "Content-Length": str(len(content)),
        "Cache-Control": CartApiView.cache_control,
        "Vary": _VARY,
        "Content-Language": language_of(request),
    }
    if body is not None:
        return HttpResponse(content, content_type="application/json", headers=headers)
    response = HttpResponse(status=304, headers=headers)
    del response.headers["Content-Type"]
    return response
