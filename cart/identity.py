"""Whose cart a request is about, and the cookies that go with it.

A customer's cart goes by the user id. A guest's goes by the hash of a secret of 256 random bits, issued by the first
write and sent back as the header `Cart-Session` or as a cookie; the secret itself is kept nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from cart import selectors, services
from cart.conf import conf
from cart.errors import CartFrozenError, CartLockedError, CartMergedError, CartsUnavailableError, MergeSourceGoneError
from cart.types import Cart, CartRef, MergeResult
from pricing import regions
from shop.core import clock, limits
from shop.core.ids import hash_token, is_token, new_token
from shop.core.web.own import own_checkout

T = TypeVar("T")
HEADER = "Cart-Session"
_META = "HTTP_CART_SESSION"
"""The same as WSGI names it: all headers need not be read to find one."""
COOKIE = "cart_session"
SECURE_COOKIE = "__Host-cart_session"
UNITS_COOKIE = "cart_n"
VERSION_COOKIE = "cart_v"
DAY_SECONDS = 86_400

log = logging.getLogger(__name__)


class Request(Protocol):
    """What is needed of a request: Django's, or the REST framework's around it."""

    user: Any
    COOKIES: dict[str, str]

    META: dict[str, Any]

    def is_secure(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Performed(Generic[T]):
    """What `perform` did: the result, and the secret of a new session or an empty text."""

    result: T
    new_token: str


def guest_token(request: Any) -> str:  # noqa: ANN401 - Django's or the REST framework's
    """Tell the guest's secret that the request carries, in the header or else the cookie; garbage counts as none.

    So does a cookie that is sent twice with two values: one of them was planted, and nobody can tell which. Over HTTPS
    only the name with the prefix counts, which browsers let nobody but this host set: whoever plants the other, from a
    subdomain or over plain HTTP, would share the cart, the checkout and its address with the shopper.
    """
    sent = request.META.get(_META)
    if sent is not None:
        return sent if is_token(sent) else _ignored(request)
    name = SECURE_COOKIE if request.is_secure() else COOKIE
    value = request.COOKIES.get(name)
    if value is None:
        return ""
    return str(value) if is_token(value) and not _is_ambiguous(request, name) else _ignored(request)


def _is_ambiguous(request: Any, name: str) -> bool:  # noqa: ANN401
    """Tell whether the cookie came with two values; Django keeps the last."""
    header: str = request.META.get("HTTP_COOKIE", "")
    if header.count(name + "=") < 2:  # noqa: PLR2004 - all but always
        return False
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return len({value for found, _, value in pairs if found == name}) > 1


def _ignored(request: Any) -> str:  # noqa: ANN401
    """Note once a request that its session is none of ours: never its value, which may be somebody's."""
    raw = _raw(request)
    if not getattr(raw, "_cart_session_ignored", False):
        raw._cart_session_ignored = True  # noqa: SLF001 - ours
        log.info("cart_session_unusable")
    return ""


def guest_ref(request: Any) -> CartRef | None:  # noqa: ANN401
    """Name the guest's cart that the request carries, signed in or not."""
    token = guest_token(request)
    return CartRef("g", hash_token(token)) if token else None


def cart_ref(request: Any) -> CartRef | None:  # noqa: ANN401
    """Name the cart of whoever asks: the customer's, or else the guest's, or none. Looks nothing up."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return CartRef("u", str(user.pk))
    return guest_ref(request)


def is_second_identity(request: Any) -> bool:  # noqa: ANN401
    """Tell whether a signed-in caller also sent a guest's session, which is ignored (`cart_session_ignored`)."""
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated and bool(guest_token(request))


def require_cart_ref(request: Any) -> tuple[CartRef, str | None]:  # noqa: ANN401
    """Name the cart that a write goes to, issuing a session where there is none: the ref and the new secret or None.

    Give the secret to `attach_session`. A guest's session that was merged meanwhile is found out by the write only
    (`CartMergedError`): `perform` takes care of that.
    """
    ref = cart_ref(request)
    if ref is not None:
        return ref, None
    token = new_token()
    return CartRef("g", hash_token(token), is_new=True), token


def require_pace(request: HttpRequest) -> None:
    """Count a change that a page is about to make to a cart, as one through the API is counted.

    :raises TooOftenError: if this caller, or their network, makes too many.
    """
    ref = cart_ref(request)
    limits.require("cart_writes", request, who=ref.owner if ref else "")


def perform(request: Any, write: Callable[[CartRef], T]) -> Performed[T]:  # noqa: ANN401
    """Run a write on the caller's cart; a guest whose cart was merged into a customer's gets a new session for it.

    :raises Refusal: what `write` raises otherwise.
    """
    ref, token = require_cart_ref(request)
    try:
        return Performed(write(ref), token or "")
    except CartMergedError:
        log.info("cart_session_was_merged")
    except CartFrozenError:
        # A merge was begun and its process died. Whoever meets it finishes it.
        services.finish_merge(guest_ref=ref, now=clock.now(), owner=own_checkout(request))
    token = new_token()
    return Performed(write(CartRef("g", hash_token(token), is_new=True)), token)


def attach_session(
    response: HttpResponseBase,
    request: Any,  # noqa: ANN401
    *,
    new_token: str | None = "",
    cart: Cart | None = None,
) -> None:
    """Put what a write changed into the answer: a new session (cookie and header), `cart_n` and `cart_v`.

    Also carries out what `end_guest_session` and `show_cart` noted on the request. Reads do not call it.
    """
    raw = _raw(request)
    notes = getattr(raw, "_cart_notes", None) or _Notes()
    shown = cart or notes.cart
    is_secure = request.is_secure()
    life = conf().ttl_days * DAY_SECONDS
    if new_token:
        response[HEADER] = new_token
        name = SECURE_COOKIE if is_secure else COOKIE
        response.set_cookie(name, new_token, max_age=life, secure=is_secure, httponly=True, samesite="Lax")
    elif notes.is_guest_over:
        for name in (SECURE_COOKIE, COOKIE):
            if name in request.COOKIES:
                _delete(response, name)
    if shown is not None:
        regions.follow(request, shown.region)
        for name, value in ((UNITS_COOKIE, shown.units), (VERSION_COOKIE, shown.version)):
            response.set_cookie(name, str(value), max_age=life, secure=is_secure, samesite="Lax")
    elif notes.is_forgotten:
        for name in (UNITS_COOKIE, VERSION_COOKIE):
            if name in request.COOKIES:
                response.delete_cookie(name, samesite="Lax")
    raw._cart_notes = None  # noqa: SLF001 - ours


@dataclass(frozen=True, slots=True)
class _Notes:
    """What the answer to a request has to tell the browser about its cart."""

    is_guest_over: bool = False
    is_forgotten: bool = False
    cart: Cart | None = None


def _note(request: Any, **what: Any) -> None:  # noqa: ANN401
    raw = _raw(request)
    raw._cart_notes = replace(getattr(raw, "_cart_notes", None) or _Notes(), **what)  # noqa: SLF001 - ours


def _raw(request: Any) -> Any:  # noqa: ANN401
    """Find Django's request inside the REST framework's."""
    return getattr(request, "_request", request)


def _delete(response: HttpResponseBase, name: str) -> None:
    """Delete a session cookie; a `__Host-` cookie is deleted only by one that is Secure itself."""
    response.set_cookie(
        name,
        "",
        max_age=0,
        expires="Thu, 01 Jan 1970 00:00:00 GMT",
        secure=name == SECURE_COOKIE,
        httponly=True,
        samesite="Lax",
    )


def has_notes(request: HttpRequest) -> bool:
    """Tell whether the answer has still to say something about the cart."""
    return getattr(request, "_cart_notes", None) is not None


def end_guest_session(request: Any) -> None:  # noqa: ANN401
    """Note that the guest's session is over: the answer deletes its cookie."""
    _note(request, is_guest_over=True)


def show_cart(request: Any, cart: Cart) -> None:  # noqa: ANN401
    """Note which cart the answer's `cart_n` and `cart_v` shall tell of."""
    _note(request, cart=cart)


def correct_shown(request: Any, cart: Cart) -> None:  # noqa: ANN401
    """Note the cart as it is where the browser was told of another version: reads correct `cart_n`, never create it."""
    told = request.COOKIES.get(VERSION_COOKIE)
    if told and told != str(cart.version) and not cart.is_copy:
        show_cart(request, cart)


def forget_cart(request: Any) -> None:  # noqa: ANN401
    """Note that the browser shall forget `cart_n` and `cart_v`, as at sign-out."""
    _note(request, is_forgotten=True)


def merge_at_sign_in(request: Any, *, user_id: int, now: datetime) -> MergeResult | None:  # noqa: ANN401
    """Join the guest's cart that the request carries to the customer's; None if there is none, or it cannot be now.

    Never raises a refusal: what is not done now is done with the next request, whose guest token is the mark of it.
    """
    ref = guest_ref(request)
    if ref is None:
        return None
    try:
        result = services.merge_guest_cart(guest_ref=ref, user_id=user_id, now=now, owner=own_checkout(request))
    except MergeSourceGoneError:
        # Never written, expired, or another customer's: nothing to join, and of no more use to this browser.
        end_guest_session(request)
        return None
    except (CartsUnavailableError, CartLockedError) as error:
        log.warning("merge_postponed", extra={"user_id": user_id, "reason": error.code})
        return None
    end_guest_session(request)
    show_cart(request, result.cart)
    return result


def finish_pending_merge(request: Any) -> MergeResult | None:  # noqa: ANN401
    """Finish what a sign-in could not: a signed-in caller who still sends a guest's cookie.

    For pages. Costs nothing where there is no such cookie; the middleware deletes it with the answer.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not guest_token(request):
        return None
    return merge_at_sign_in(request, user_id=user.pk, now=clock.now())


def show_customers_cart(request: Any, *, user_id: int) -> None:  # noqa: ANN401
    """Note the customer's own cart for the answer's cookies, after a sign-in without a guest's cart."""
    cart = selectors.get_cart(ref=CartRef("u", str(user_id)))
    if not cart.is_copy:
        show_cart(request, cart)
