"""The door into checkout."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from cart import identity
from cart.errors import CartsUnavailableError
from cart.wording import code_off_words
from inventory.errors import InsufficientStockError
from shop.checkout import selectors, services
from shop.checkout.errors import (
    AddressLimitError,
    CartEmptyError,
    LineUnavailableError,
    PriceChangedError,
    ReservationLimitError,
    UnitsLimitError,
)
from shop.checkout.web.base import CheckoutPageView, find_principal, first_step, stop_url
from shop.core import clock, limits
from shop.core.http import network_address
from shop.core.web.own import remember_own
from shop.core.web.pages import see_other

_TOTAL_DIGITS = 12


def read_amount(text: str) -> int | None:
    """Read an amount in minor units that a page put into its form."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _TOTAL_DIGITS else None


def read_currency(request: HttpRequest) -> str:
    """Read what the amounts of a page's form are in; empty if it does not say."""
    return request.POST.get("currency", "")[:3]


def ask_agreement(request: HttpRequest, refusal: PriceChangedError, *, back: str) -> HttpResponse:
    """Show what changed, line by line, with “Continue at …”. Nothing was reserved or charged."""
    codes_off = [code_off_words(off) for off in refusal.quote.codes_off]
    context = {
        "quote": refusal.quote,
        "changes": refusal.changes,
        "codes_off": codes_off,
        "back": back,
        "is_other_currency": any(change.was.currency != change.now.currency for change in refusal.changes),
    }
    return render(request, "checkout/agree.html", context, status=409)


class StartView(CheckoutPageView):
    """Starts a checkout, or goes on with the open one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Go on with the open checkout; without one, to the cart. Nothing is started by a link."""
        principal = find_principal(request)
        checkout = selectors.find_open_checkout(principal=principal, now=clock.now()) if principal else None
        return see_other(first_step(checkout) if checkout else reverse("cart:cart"))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Quote all lines again and reserve them; what stands against it is said on the cart, at its row."""
        identity.finish_pending_merge(request)
        ref, principal = identity.cart_ref(request), find_principal(request)
        if ref is None or principal is None:
            return see_other(stop_url(CartEmptyError.code))
        limits.require("checkout_starts", request, who=ref.owner)
        try:
            checkout, _is_new = services.start_checkout(
                ref=ref,
                principal=principal,
                accepted_total=read_amount(request.POST.get("accepted_total", "")),
                expected_cart_version=None,
                shown_total=read_amount(request.POST.get("shown_total", "")),
                shown_currency=read_currency(request),
                now=clock.now(),
                network_address=network_address(request),
            )
        except PriceChangedError as refusal:
            return ask_agreement(request, refusal, back=reverse("cart:cart"))
        except (
            AddressLimitError,
            CartEmptyError,
            CartsUnavailableError,
            InsufficientStockError,
            LineUnavailableError,
            ReservationLimitError,
            UnitsLimitError,
        ) as refusal:
            return see_other(stop_url(refusal.code))
        response = see_other(first_step(checkout))
        remember_own(response, request, checkout.checkout_id)
        return response
