"""Adding ten minutes, reserving again, giving back."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from inventory.errors import InsufficientStockError, RenewalLimitError, ReservationExpiredError
from shop.checkout import services
from shop.checkout.errors import AddressLimitError, LineUnavailableError, PriceChangedError
from shop.checkout.web import forms
from shop.checkout.web.base import (
    STEPS,
    CheckoutPageView,
    checkout_of,
    keep_draft,
    require_principal,
    step_url,
    stop_url,
)
from shop.checkout.web.starting import ask_agreement, read_amount
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.http import network_address
from shop.core.web.own import forget_own
from shop.core.web.pages import see_other, status_of
from shop.core.words import words


def _step(request: HttpRequest) -> str:
    step = request.POST.get("step", "")
    return step if step in STEPS else "delivery"


def _back(request: HttpRequest, checkout_id: str, said: str) -> HttpResponse:
    return see_other(step_url(_step(request), checkout_id) + "?" + urlencode({"said": said}))


class RenewView(CheckoutPageView):
    """“Add 10 minutes”."""

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Add them; what is half typed on the page comes along and is kept."""
        principal = require_principal(request)
        wants_json = request.headers.get("Accept", "").startswith("application/json")
        if "line1" in request.POST:
            keep_draft(request, checkout_id, forms.read(request.POST))
        now = clock.now()
        try:
            checkout = services.renew(checkout_id=checkout_id, principal=principal, now=now)
        except (ReservationExpiredError, RenewalLimitError) as refusal:
            if wants_json:
                return _told(refusal)
            return _back(request, checkout_id, "limit" if isinstance(refusal, RenewalLimitError) else "expired")
        if wants_json:
            end = checkout.reservation_expires_at
            seconds = int((end - now).total_seconds()) if end else 0
            return JsonResponse({"seconds": seconds, "message": _("10 minutes added.")})
        return _back(request, checkout_id, "renewed")


class ReserveView(CheckoutPageView):
    """“Reserve again”."""

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Reserve what is still there at the price that holds; else say what changed."""
        principal = require_principal(request)
        if "line1" in request.POST:
            keep_draft(request, checkout_id, forms.read(request.POST))
        try:
            services.reserve_again(
                checkout_id=checkout_id,
                principal=principal,
                accepted_total=read_amount(request.POST.get("accepted_total", "")),
                now=clock.now(),
                network_address=network_address(request),
            )
        except PriceChangedError as refusal:
            _, seen = checkout_of(request, checkout_id)
            return ask_agreement(request, refusal, back=step_url(_step(request), checkout_id), seen=seen)
        except (AddressLimitError, InsufficientStockError, LineUnavailableError) as refusal:
            return see_other(stop_url(refusal.code))
        return _back(request, checkout_id, "reserved")


class CancelView(CheckoutPageView):
    """“Cancel”: gives everything back; the cart stays."""

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Give it back."""
        services.cancel(checkout_id=checkout_id, principal=require_principal(request), now=clock.now())
        response = see_other(stop_url("given_back"))
        forget_own(response)
        return response


def _told(refusal: Refusal) -> HttpResponse:
    return JsonResponse({"message": words(refusal).detail}, status=status_of(refusal))
