"""The reservation that is this browser's own.

While a checkout is open its units are reserved, and the cart must not call them “reserved by other shoppers”.
The cart knows nothing of checkouts, so whoever starts one is left its id in a cookie, and programs that keep no cookies
send it as a header. It only widens what one sees as available: ids are 120 random bits, and reserving checks again.
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Own-Checkout"
_COOKIE = "own_checkout"
_LIFE_SECONDS = 86_400
_SHAPE = re.compile(r"chk_[0-9A-Z]{24}", re.ASCII)


def own_checkout(request: HttpRequest) -> str | None:
    """Tell the id of the checkout that the caller opened last, by header or else by cookie; None if of none."""
    value = request.headers.get(HEADER) or request.COOKIES.get(_COOKIE, "")
    return value if _SHAPE.fullmatch(value) else None


def remember_own(response: HttpResponseBase, request: HttpRequest, checkout_id: str) -> None:
    """Remember the checkout that was opened."""
    response.set_cookie(
        _COOKIE,
        checkout_id,
        max_age=_LIFE_SECONDS,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def forget_own(response: HttpResponseBase) -> None:
    """Forget it: the checkout is over."""
    response.delete_cookie(_COOKIE, samesite="Lax")
