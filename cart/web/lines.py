"""Changes of one row of the cart."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse

from cart import services as carts
from cart.errors import QuantityInvalidError
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
    read_quantity,
    read_sku_id,
    refuse,
    render_fragment,
    title_of,
)
from cart.web.flash import Did
from cart.web.present import with_did
from shop.core import clock
from shop.core.errors import ErrorDetail, Refusal
from shop.core.web.own import own_checkout
from shop.core.web.pages import see_other

Kind = Literal["set", "removed", "saved"]


class LineView(CartPageView):
    """The quantity of one row."""

    def post(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Set it; 0 removes the row, and what is not a quantity is refused at its field."""
        sku_id = read_sku_id(sku_id)
        quantity = read_quantity(request)
        if quantity is None:
            wrong = QuantityInvalidError(errors=(ErrorDetail("/quantity", "not_an_integer"),))
            return refuse(request, wrong, sku_id=sku_id)
        try:
            done = change(
                request,
                lambda ref: carts.set_quantity(
                    ref=ref,
                    sku_id=sku_id,
                    quantity=quantity,
                    now=clock.now(),
                    seen_version=read_number(request, "v"),
                    is_clamping=True,
                    owner=own_checkout(request),
                ),
            )
        except Refusal as refusal:
            return refuse(request, refusal, sku_id=sku_id)
        return _answer(request, done, sku_id, "removed" if quantity == 0 else "set")


class LineRemoveView(CartPageView):
    """Takes one row out, with Undo."""

    def post(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Remove it; a row that is not there any more is as good as removed."""
        sku_id = read_sku_id(sku_id)
        seen = read_number(request, "v")
        try:
            done = change(
                request, lambda ref: carts.remove_line(ref=ref, sku_id=sku_id, now=clock.now(), seen_version=seen)
            )
        except Refusal as refusal:
            return refuse(request, refusal, sku_id=sku_id)
        return _answer(request, done, sku_id, "removed")


class LineSaveView(CartPageView):
    """Moves one row to the saved list, with Undo."""

    def post(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Move it, with its quantity, price and time of adding."""
        sku_id = read_sku_id(sku_id)
        seen = read_number(request, "v")
        try:
            done = change(
                request, lambda ref: carts.save_line(ref=ref, sku_id=sku_id, now=clock.now(), seen_version=seen)
            )
        except Refusal as refusal:
            return refuse(request, refusal, sku_id=sku_id)
        return _answer(request, done, sku_id, "saved")


def _answer(request: HttpRequest, done: Performed[CartChange], sku_id: str, kind: Kind) -> HttpResponse:
    if not is_htmx(request):
        response = see_other(done_url(_did(request, done.result, sku_id, title_of(sku_id), kind)))
        return finish(response, request, done)
    page = read_page(request, done.result.cart.ref)
    row = page.row(sku_id)
    did = _did(request, done.result, sku_id, row.title if row else title_of(sku_id), kind)
    response = render_fragment(request, page, did=did, row=with_did(page, did).row(sku_id), with_saved=kind == "saved")
    return finish(response, request, done)


def _did(request: HttpRequest, change: CartChange, sku_id: str, title: str, kind: Kind) -> Did:
    line = change.cart.line(sku_id)
    if line is None:
        place = read_number(request, "at")
        gone: Kind = "saved" if kind == "saved" else "removed"
        return Did(gone, sku_id, title, undo=change.undo, index=-1 if place is None else place)
    was_clamped = any(warning.code == "clamped" for warning in change.warnings)
    return Did("clamped" if was_clamped else "set", sku_id, title, quantity=line.quantity)
