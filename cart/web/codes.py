"""Discount codes on the cart page: enter one, take one out."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from cart import identity
from cart import services as carts
from cart.types import CartChange
from cart.web.base import (
    CartPageView,
    change,
    done_url,
    finish,
    is_htmx,
    read_number,
    read_page,
    refuse,
    render_cart,
    render_fragment,
)
from cart.web.flash import Did
from pricing.errors import CodeNotCombinableError
from shop.core import clock, limits
from shop.core.errors import Refusal, RejectedError
from shop.core.web.pages import see_other, status_of
from shop.core.words import words

_TYPED = 64


class CodeView(CartPageView):
    """The form below the total."""

    repeatable = frozenset({"code"})  # refused at its field

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead to the cart, where the form is."""
        return see_other(reverse("cart:cart"))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Enter the code; what is wrong with it stands beside its field. Who tries too often has to wait."""
        ref = identity.cart_ref(request)
        standing = limits.count_request("codes", request, who=ref.owner if ref else "")
        if standing is not None and standing.is_over:
            sentence = _("Please wait a minute before trying another code.")
            response = _with_error(request, sentence, status=429)
            response["Retry-After"] = str(standing.reset_seconds)
            return response
        typed = request.POST.getlist("code")
        code = typed[0] if len(typed) == 1 else ""
        try:
            done = change(request, lambda ref: carts.apply_code(ref=ref, code=code, now=clock.now()))
        except (RejectedError, CodeNotCombinableError) as refusal:
            return _with_error(request, words(refusal).detail, status=status_of(refusal))
        except Refusal as refusal:
            return refuse(request, refusal)
        return _done(request, done, Did("code"))


class CodeRemoveView(CartPageView):
    """The button of an entered code."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take it out."""
        code_id = read_number(request, "code") or 0
        try:
            done = change(request, lambda ref: carts.remove_code(ref=ref, code_id=code_id))
        except Refusal as refusal:
            return refuse(request, refusal)
        return _done(request, done, Did("code_off"))


def _done(request: HttpRequest, done: identity.Performed[CartChange], did: Did) -> HttpResponse:
    if is_htmx(request):
        page = read_page(request, done.result.cart.ref)
        return finish(render_fragment(request, page, did=did, is_whole=True), request, done)
    return finish(see_other(done_url(did)), request, done)


def _with_error(request: HttpRequest, sentence: str, *, status: int) -> HttpResponse:
    page = read_page(request, identity.cart_ref(request))
    page = replace(page, code_error=sentence, code_typed=request.POST.get("code", "")[:_TYPED])
    if is_htmx(request):
        return render_fragment(request, page, is_whole=True, status=status)
    return render_cart(request, page, status=status, is_error=True)
