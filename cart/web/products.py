"""Forms of the product pages: into the cart, or straight to the saved list.

Product pages are cached at the edge and carry no CSRF token; these views demand a request from this host instead.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from cart import services as carts
from cart.errors import QuantityInvalidError
from cart.types import CartChange, CartRef
from cart.web.base import change, done_url, finish, read_quantity, read_sku_id, title_of
from cart.web.flash import Did
from cart.web.words import did_words
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.errors import ErrorDetail, Refusal
from shop.core.money import Money
from shop.core.web.errors import stale_form
from shop.core.web.origin import is_same_origin
from shop.core.web.own import own_checkout
from shop.core.web.pages import PageView, refused, see_other, status_of, with_retry_after
from shop.core.words import detail_words, words

_OPERATION_LENGTH = 64


@method_decorator(csrf_exempt, name="dispatch")
class _ProductForm(PageView):
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Make the change; the page's script is answered with a sentence, a plain form with the cart."""
        sku_id = read_sku_id(request.POST.get("sku_id", ""))
        if not is_same_origin(request):
            return stale_form(back=_product_url(request, sku_id), quantity=request.POST.get("quantity", "")[:4])
        quantity = read_quantity(request)
        if not quantity:
            wrong = QuantityInvalidError(errors=(ErrorDetail("/quantity", "not_an_integer"),))
            return _refuse(request, wrong, sku_id)
        try:
            done = change(request, lambda ref: self.write(request, ref, sku_id, quantity))
        except Refusal as refusal:
            return _refuse(request, refusal, sku_id)
        cart = done.result.cart
        did = self.did(done.result, sku_id)
        response: HttpResponse
        if _wants_json(request):
            total = Money(0, cart.currency)
            response = JsonResponse({"message": did_words(did, units=cart.units, total=total)})
        else:
            response = see_other(done_url(did))
        return finish(response, request, done)

    def write(self, request: HttpRequest, ref: CartRef, sku_id: str, quantity: int) -> CartChange:
        """Do what the form says."""
        raise NotImplementedError

    def did(self, change: CartChange, sku_id: str) -> Did:
        """Say what was done."""
        raise NotImplementedError


class AddView(_ProductForm):
    """Adds to the cart."""

    def write(self, request: HttpRequest, ref: CartRef, sku_id: str, quantity: int) -> CartChange:
        """Add so many units; more than there is becomes what there is."""
        return carts.add_line(
            ref=ref,
            sku_id=sku_id,
            quantity=quantity,
            now=clock.now(),
            operation_id=_operation_id(request),
            is_clamping=True,
            owner=own_checkout(request),
        )

    def did(self, change: CartChange, sku_id: str) -> Did:
        """Say what was added, and what was not."""
        line = change.cart.line(sku_id)
        if line and any(warning.code == "clamped" for warning in change.warnings):
            return Did("clamped", sku_id, title_of(sku_id), quantity=line.quantity)
        return Did("added", sku_id, title_of(sku_id))


class SaveView(_ProductForm):
    """Puts on the saved list."""

    def write(self, request: HttpRequest, ref: CartRef, sku_id: str, quantity: int) -> CartChange:
        """Save so many units for later, whether in stock or not."""
        return carts.set_saved_quantity(
            ref=ref, sku_id=sku_id, quantity=quantity, now=clock.now(), operation_id=_operation_id(request)
        )

    def did(self, change: CartChange, sku_id: str) -> Did:
        """Say what was saved."""
        return Did("kept", sku_id, title_of(sku_id))


def _operation_id(request: HttpRequest) -> str:
    # The page's script makes one for each press, so that a repeated request counts once.
    return request.POST.get("op", "")[:_OPERATION_LENGTH]


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _product_url(request: HttpRequest, sku_id: str) -> str:
    card = catalog.list_cards(sku_ids=[sku_id]).get(sku_id)
    if card is None:
        return reverse("catalog:list")
    asked = {"sku": sku_id, "quantity": request.POST.get("quantity", "")[:4]}
    return reverse("catalog:product", args=[card.product_slug]) + "?" + urlencode(asked)


def _refuse(request: HttpRequest, refusal: Refusal, sku_id: str) -> HttpResponse:
    if _wants_json(request):
        sentence = detail_words(refusal.errors[0]) if refusal.errors else words(refusal).detail
        return with_retry_after(JsonResponse({"message": sentence}, status=status_of(refusal)), refusal)
    return refused(request, refusal, link=_product_url(request, sku_id), link_text=_("Back to the product"))
