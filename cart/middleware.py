"""Lets the answer to a sign-in or sign-out tell the browser about its cart. Touches no session, user or public page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cart import identity

Handler = Callable[[HttpRequest], HttpResponseBase]


def cart_cookies(get_response: Handler) -> Handler:
    """Carry out what was noted on the request (`identity.end_guest_session` and the like) and not attached yet."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if identity.has_notes(request):
            identity.attach_session(response, request)
        return response

    return handle
