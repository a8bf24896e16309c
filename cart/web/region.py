"""The form at the foot of every page: in which region, and so in which currency, to shop."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt

from cart import identity
from cart import services as carts
from cart.errors import RegionUnknownError
from pricing import regions
from shop.core.web.errors import stale_form
from shop.core.web.origin import is_same_origin
from shop.core.web.pages import PageView, see_other


# Public pages carry no CSRF token; this view demands a request from this host instead.
@method_decorator(csrf_exempt, name="dispatch")
class RegionView(PageView):
    """Chooses a region: for this browser, and for the cart, which an account keeps on every device."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Choose, and go back to the page; from a checkout to the cart, which says what is different.

        :raises RegionUnknownError: if the shop has no such region.
        """
        if not is_same_origin(request):
            return stale_form(back=reverse("cart:cart"), quantity="")
        code = request.POST.get("region", "")
        if not regions.are_many() or regions.find(code) is None:
            raise RegionUnknownError
        response = see_other(_back(request))
        if identity.cart_ref(request) is not None:
            done = identity.perform(request, lambda ref: carts.choose_region(ref=ref, code=code))
            identity.attach_session(response, request, new_token=done.new_token, cart=done.result.cart)
        regions.follow(request, code)
        return response


def _back(request: HttpRequest) -> str:
    """Find the page that the form was on, if it can be asked for again; else the cart."""
    cart = reverse("cart:cart")
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        return cart
    url = urlsplit(referer)
    try:
        view = getattr(resolve(url.path).func, "view_class", None)
    except Resolver404:
        return cart
    if not hasattr(view, "get") or url.path.startswith((reverse("checkout:start"), cart)):
        return cart
    return url.path + (f"?{url.query}" if url.query else "")
