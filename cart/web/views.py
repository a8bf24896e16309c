"""The cart page, and what concerns the cart as a whole: undo, acknowledge, empty."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse

from cart import identity
from cart import services as carts
from cart.conf import conf
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
    render_cart,
    render_fragment,
    title_of,
)
from cart.web.client import render_client
from cart.web.flash import Did, unpack
from cart.web.present import Done, with_did, with_row
from cart.web.words import stop_words
from shop.core.errors import Refusal
from shop.core.web.pages import see_other
from shop.core.web.told import unpack_told


class CartView(CartPageView):
    """The cart, and the saved list below it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show both.

        `?did=` says what the last action did, `?stop=` why checkout sent the shopper back, with `?told=` in detail,
        `?edit=` and `?quantity=` keep what was typed on a page that had become too old.
        """
        identity.finish_pending_merge(request)
        ref = identity.cart_ref(request)
        if ref is None and conf().guest_storage == "client":
            return render_client(request)
        page = with_did(read_page(request, ref), unpack(request.GET.get("did", "")))
        row = page.row(read_sku_id(request.GET.get("edit", "")))
        if row is not None and (typed := request.GET.get("quantity", "")[:6]):
            page = with_row(page, replace(row, typed=typed))
        sentence, is_bad = stop_words(request.GET.get("stop", ""))
        if is_bad:
            page = replace(page, refused=sentence)
        elif sentence:
            told = unpack_told(request.GET.get("told", ""))
            page = replace(page, done=Done(sentence, undo="", sku_id="", told=told))
        return render_cart(request, page)


class UndoView(CartPageView):
    """Brings back what a change took away."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Undo it, or say in a sentence why it cannot be undone any more."""
        sku_id = read_sku_id(request.POST.get("sku_id", ""))
        place = request.POST.get("place", "")
        token = request.POST.get("undo", "")
        try:
            done = change(request, lambda ref: carts.undo(ref=ref, undo=token))
        except Refusal as refusal:
            return refuse(request, refusal)
        # What asks again after its answer was undone is no merge that was taken back.
        is_unmerged = place == "merge" and done.result.cart.question is None
        did = Did("unmerged") if is_unmerged else Did("undone", sku_id, title_of(sku_id) if sku_id else "")
        if is_htmx(request):
            page = read_page(request, done.result.cart.ref)
            row = page.row(sku_id) if place == "line" else None
            response = render_fragment(request, page, did=did, row=row, with_saved=True, is_whole=len(page.rows) == 1)
        else:
            response = see_other(done_url(did))
        return finish(response, request, done)


class AcknowledgeView(CartPageView):
    """The “Got it” button."""

    repeatable = frozenset({"notice_ids"})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Clear the notices that were shown; one that came up since stays."""
        ids = request.POST.getlist("notice_ids")
        try:
            done = change(request, lambda ref: carts.acknowledge(ref=ref, notice_ids=ids))
        except Refusal as refusal:
            return refuse(request, refusal)
        did = Did("acknowledged")
        if is_htmx(request):
            response = render_fragment(request, read_page(request, done.result.cart.ref), did=did)
        else:
            response = see_other(done_url(did))
        return finish(response, request, done)


class EmptyView(CartPageView):
    """Takes every line out of the cart, with Undo."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Empty it."""
        seen = read_number(request, "v")
        try:
            done = change(request, lambda ref: carts.empty_cart(ref=ref, seen_version=seen))
        except Refusal as refusal:
            return refuse(request, refusal)
        did = Did("emptied", undo=done.result.undo)
        if is_htmx(request):
            response = render_fragment(request, read_page(request, done.result.cart.ref), did=did)
        else:
            response = see_other(done_url(did))
        return finish(response, request, done)
