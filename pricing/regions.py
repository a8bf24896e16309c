"""Regions: where a visitor shops, and in which currency. A shop that names none has one, and nothing of this shows.

The visitor's region goes by a cookie (programs may send the header `Region`) and is active while their request is
answered, as their language is. A cart keeps the region of its first change, until its owner chooses another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pricing.conf import conf
from pricing.types import Region

COOKIE = "region"
HEADER = "Region"
EDGE_HEADER = "X-Region"
"""What an edge cache that keeps public pages by region sends: the cookie's value, or `-` where there is none."""
_NO_COOKIE = "-"
_LIFE_SECONDS = 365 * 86_400
_API = "/api/"
_ADMIN = "/admin/"
_active: ContextVar[Region | None] = ContextVar("region", default=None)

Handler = Callable[[HttpRequest], HttpResponseBase]


def list_regions() -> tuple[Region, ...]:
    """List the shop's regions, the default one first."""
    return conf().list_regions()


def are_many() -> bool:
    """Tell whether there is a choice."""
    return len(list_regions()) > 1


def find(code: str) -> Region | None:
    """Find a region by its code."""
    return next((region for region in list_regions() if region.code == code), None)


def current() -> Region:
    """Give the region of whoever's request is answered, or the default one."""
    return _active.get() or list_regions()[0]


def currency_of(code: str, otherwise: str = "") -> str:
    """Tell the currency of a region that a cart keeps; of one that is no more, `otherwise` or the shop's."""
    region = find(code)
    return region.currency if region else otherwise or conf().currency


def countries_of(currency: str) -> frozenset[str]:
    """List where things bought in this currency may be sent (ISO 3166-1); empty: anywhere."""
    found = [region.countries for region in list_regions() if region.currency == currency]
    return frozenset().union(*found) if all(found) else frozenset()


@contextmanager
def active(region: Region | None) -> Iterator[None]:
    """Let a region be the current one while the block runs; None: the default."""
    token = _active.set(region)
    try:
        yield
    finally:
        _active.reset(token)


def follow(request: Any, code: str) -> None:  # noqa: ANN401 - Django's or the REST framework's
    """Shop in this region from here on: for the rest of this request, and the browser remembers. Unknown: no change."""
    region = find(code)
    if region is None or not are_many():
        return
    _active.set(region)
    raw = getattr(request, "_request", request)
    raw._region = region.code  # noqa: SLF001 - ours


def visitors_region(get_response: Handler) -> Handler:
    """Answer each request in its visitor's region (middleware). Touches no session; staff see the default one."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if not are_many():
            return get_response(request)
        with active(_asked(request)):
            response = get_response(request)
        chosen = getattr(request, "_region", "")
        if chosen and chosen != request.COOKIES.get(COOKIE):
            response.set_cookie(
                COOKIE, chosen, max_age=_LIFE_SECONDS, secure=request.is_secure(), httponly=True, samesite="Lax"
            )
        return response

    return handle


def say_cached_by_region(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let a public page be kept only by caches that show that they keep one for each region.

    Without a choice of regions it stays as public as it is.
    """
    if not are_many() or not response.get("Cache-Control", "").startswith("public"):
        return
    if request.headers.get(EDGE_HEADER) == (request.COOKIES.get(COOKIE) or _NO_COOKIE):
        response["Vary"] = ", ".join(filter(None, [response.get("Vary", ""), EDGE_HEADER]))
    else:
        response["Cache-Control"] = "private, no-cache"


def _asked(request: HttpRequest) -> Region | None:
    if request.path.startswith(_ADMIN):
        return None
    # The header is for programs alone: a page that heard it could be kept by a cache under another region's name.
    sent = request.headers.get(HEADER) if request.path.startswith(_API) else None
    return find(sent or request.COOKIES.get(COOKIE, ""))
