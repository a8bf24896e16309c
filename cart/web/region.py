"""The form at the foot of every page: in which region, and so in which currency, to shop."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from cart import identity
from cart import services as carts
from cart.errors import RegionUnknownError
from pricing import regions
from shop.core.web.errors import stale_form
from shop.core.web.origin import is_same_origin
from shop.core.web.pages import PageView, page_before, see_other


# Public pages carry no CSRF token; this view demands a request from this host instead.
@method_decorator(csrf_exempt, name="dispatch")
class RegionView(PageView):
    """Chooses a region: for this browser, and for the cart, which an account keeps on every device."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Choose, and go back to the page; from a checkout to the cart, which says what is different.

        :raises RegionUnknownError: if the shop has no such region.
        :raises TooOftenError: if this cart is changed too often.
        """
        if not is_same_origin(request):
            return stale_form(back=reverse("cart:cart"), quantity="")
        code = request.POST.get("region", "")
        if not regions.are_many() or regions.find(code) is None:
            raise RegionUnknownError
        response = see_other(_back(request))
        if identity.cart_ref(request) is not None:
            identity.require_pace(request)
            done = identity.perform(request, lambda ref: carts.choose_region(ref=ref, code=code))
            identity.attach_session(response, request, new_token=done.new_token, cart=done.result.cart)
        regions.follow(request, code)
        return response


def _back(request: HttpRequest) -> str:
    cart = reverse("cart:cart")
    page = page_before(request, cart)
    return cart if page.startswith((reverse("checkout:start"), cart)) else page
