"""Changes of one row of the saved list."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cart import services as carts
from cart.identity import Performed
from cart.types import CartChange
from cart.web.base import (
    CartPageView,
    change,
    done_url,
    finish,
    is_htmx,
    read_number,
    read_page,
    read_sku_id,
    refuse,
    render_fragment,
    title_of,
)
from cart.web.flash import Did, Kind
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.web.own import own_checkout
from shop.core.web.pages import see_other


class SavedMoveView(CartPageView):
    """Moves one row to the cart, with Undo."""

    def post(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Move all of it; what does not fit the stock stays on the list."""
        sku_id = read_sku_id(sku_id)
        try:
            done = change(
                request,
                lambda ref: carts.move_to_cart(
                    ref=ref,
                    sku_id=sku_id,
                    now=clock.now(),
                    seen_version=read_number(request, "v"),
                    is_clamping=True,
                    owner=own_checkout(request),
                ),
            )
        except Refusal as refusal:
            return refuse(request, refusal)
        return _answer(request, done, sku_id, "moved")


class SavedRemoveView(CartPageView):
    """Takes one row off the saved list, with Undo."""

    def post(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Remove it."""
        sku_id = read_sku_id(sku_id)
        try:
            done = change(request, lambda ref: carts.remove_saved(ref=ref, sku_id=sku_id, now=clock.now()))
        except Refusal as refusal:
            return refuse(request, refusal)
        return _answer(request, done, sku_id, "unsaved")


def _answer(request: HttpRequest, done: Performed[CartChange], sku_id: str, kind: Kind) -> HttpResponse:
    place = read_number(request, "at")
    did = Did(kind, sku_id, title_of(sku_id), undo=done.result.undo, index=-1 if place is None else place)
    if is_htmx(request):
        response = render_fragment(request, read_page(request, done.result.cart.ref), did=did, is_whole=True)
    else:
        response = see_other(done_url(did))
    return finish(response, request, done)
