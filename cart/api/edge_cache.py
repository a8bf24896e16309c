"""Answers to guests that an edge cache may keep for a moment (`CART_EDGE_CACHE`).

The edge asks with `X-Cart-Key: <SHA-256 of the guest's secret>:<cart_v>`, and keeps the answer under that key. Every
change of the cart sets `cart_v` to the new version and so changes the key: nothing has ever to be purged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from rest_framework.response import Response

from cart import identity
from cart.conf import conf
from cart.middleware import EDGE_KEY
from cart.types import Cart
from shop.core.ids import hash_token

CDN_CACHE_CONTROL = "max-age=15"
_VERSION = re.compile(r"\d{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """What the edge asks for: which version of the guest's cart the browser believes to be the present one."""

    version: int


def read_edge_request(request: HttpRequest) -> EdgeRequest | None:
    """Tell whether the edge asks for a guest's minimal cart under a true key; None if the answer is none for it."""
    if not conf().edge_cache or request.META.get("QUERY_STRING"):
        return None
    if {identity.HEADER, "X-Session-Token"} & set(request.headers) or settings.SESSION_COOKIE_NAME in request.COOKIES:
        return None
    token, version = identity.guest_token(request), request.COOKIES.get(identity.VERSION_COOKIE, "")
    if not token or not _VERSION.fullmatch(version):
        return None
    return EdgeRequest(int(version)) if request.headers.get(EDGE_KEY) == f"{hash_token(token)}:{version}" else None


def for_edge(response: Response, request: HttpRequest, *, asked: EdgeRequest | None, cart: Cart | None) -> Response:
    """Let the edge keep the answer if it is of the version that was asked for; else correct the browser's cookie.

    `cart` is None where the answer is known to be of that version.
    """
    if asked is None:
        return response
    if cart is None or (cart.version == asked.version and not cart.is_copy):
        response["CDN-Cache-Control"] = CDN_CACHE_CONTROL
        return response
    response["Cache-Control"] = "no-store"
    if not cart.is_copy:
        identity.attach_session(response, request, cart=cart)
    return response
