"""Around every request: cookies after a sign-in or sign-out, and what an edge cache is told. Touches no session."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cart import identity

EDGE_KEY = "X-Cart-Key"

Handler = Callable[[HttpRequest], HttpResponseBase]


def cart_cookies(get_response: Handler) -> Handler:
    """Carry out what was noted on the request (`identity.end_guest_session` and the like) and not attached yet."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if identity.has_notes(request):
            identity.attach_session(response, request)
        return response

    return handle


def edge_vary(get_response: Handler) -> Handler:
    """Say of an answer that the edge may keep that it depends on the edge's key alone, which holds all the rest.

    Outermost, because sessions and languages add themselves to `Vary`. Only where `CART_EDGE_CACHE` is on.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if "CDN-Cache-Control" in response:
            response["Vary"] = EDGE_KEY
        return response

    return handle
