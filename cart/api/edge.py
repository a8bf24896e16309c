"""What all addresses of the cart share: whose cart it is, and how a change is answered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import get_language
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity, selectors
from cart.api.representations import EXPANSIONS, cart_json, view_json, warnings_json
from cart.errors import CartChangedError
from cart.types import Cart, CartChange, CartRef, CartWarning
from shop.core import clock
from shop.core.api import ApiView, plain
from shop.core.http import read_expand
from shop.core.preconditions import etag
from shop.core.problems import current_state
from shop.core.web.own import HEADER as OWN_HEADER
from shop.core.web.own import own_checkout

EXPAND = OpenApiParameter(
    "expand",
    str,
    description="What to add, separated by commas: " + ", ".join(f"`{name}`" for name in sorted(EXPANSIONS)) + ".",
)
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Made by the client for this intent; a repeat within an hour has no second effect.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The entity tag that the change is based on; the part before the dot counts.",
)
OWN_CHECKOUT = OpenApiParameter(
    OWN_HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The id of the caller's open checkout: what it has reserved counts as there.",
)


@dataclass(eq=False)
class StaleCartError(CartChangedError):
    """The same refusal with the present cart, so that the client need not ask for it."""

    cart: Cart


@current_state.register
def _cart_changed(refusal: CartChangedError) -> dict[str, Any]:
    return {"cart_version": refusal.version, "etag": etag(refusal.version)}


@current_state.register
def _stale(refusal: StaleCartError) -> dict[str, Any]:
    present = cart_json(refusal.cart)
    return {"cart_version": present["version"], "etag": present["etag"], "items": present["items"]}


class CartApiView(ApiView):
    """An address of the caller's cart."""

    query = frozenset({"expand"})
    vary = ("Cookie", "Cart-Session", "X-Session-Token")
    limited = {"PUT": "cart_writes", "POST": "cart_writes", "PATCH": "cart_writes", "DELETE": "cart_writes"}

    makes_lines = False
    """A PUT here that makes a line is answered with 201."""

    def operation_id(self, request: Request, *, is_required: bool = False) -> str:
        """Make the script's operation id of the client's key: the same key on another address is another operation."""
        key = self.key(request, is_required=is_required)
        if not key:
            return ""
        return hashlib.sha256(f"{request.method} {request.path} {key}".encode()).hexdigest()[:40]

    def change(
        self,
        request: Request,
        apply: Callable[[CartRef], CartChange],
        *,
        body: Callable[[CartChange, dict[str, Any]], dict[str, Any]] | None = None,
    ) -> Response:
        """Apply a change to the caller's cart and answer with the cart afterwards."""
        expand = read_expand(plain(request), EXPANSIONS)
        try:
            done = identity.perform(plain(request), apply)
        except CartChangedError as refusal:
            present = selectors.get_cart(ref=identity.cart_ref(plain(request)))
            raise StaleCartError(refusal.version, cart=present) from None
        change = done.result
        warnings = warnings_json((*change.warnings, *ignored_identity(plain(request))))
        answer = self.represent(request, change.cart, expand)
        headers = {"ETag": answer["etag"]}
        if change.was_replayed:
            headers["Idempotent-Replayed"] = "true"
        answer = body(change, answer) if body else answer
        answer["warnings"] = warnings
        if change.undo:
            answer["undo"] = change.undo
        is_new = change.added_new and self.makes_lines and request.method == "PUT"
        response = Response(answer, status=201 if is_new else 200, headers=headers)
        identity.attach_session(response, plain(request), cart=change.cart, new_token=done.new_token)
        return response

    @staticmethod
    def represent(request: Request, cart: Cart, expand: frozenset[str]) -> dict[str, Any]:
        """Write a cart, minimal or with what was asked for beside it."""
        if not expand:
            return cart_json(cart)
        saved = selectors.get_saved(ref=cart.ref) if expand & {"saved", "page"} else ()
        view = selectors.enrich(
            cart=cart, saved=saved, locale=get_language() or "", now=clock.now(), owner=own_checkout(plain(request))
        )
        return view_json(view, expand)

    def caller(self, request: Request) -> str:
        """Name whose changes are counted."""
        ref = identity.cart_ref(plain(request))
        return ref.owner if ref else ""


def ignored_identity(request: HttpRequest) -> tuple[CartWarning, ...]:
    """Warn a signed-in caller whose guest session was sent along and left alone."""
    if identity.is_second_identity(request):
        return (CartWarning("cart_session_ignored", ""),)
    return ()
