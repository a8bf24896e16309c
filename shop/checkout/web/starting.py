"""The door into checkout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from cart import identity
from cart.errors import CartsUnavailableError
from cart.wording import code_off_words
from inventory.errors import InsufficientStockError
from inventory.types import ReservationState
from pricing.types import PriceQuote
from shop.catalog import selectors as catalog
from shop.checkout import selectors, services
from shop.checkout.errors import (
    AddressLimitError,
    CartEmptyError,
    LineUnavailableError,
    PriceChangedError,
    ReservationLimitError,
    UnitsLimitError,
)
from shop.checkout.types import CheckoutLine, CheckoutView
from shop.checkout.web.base import CheckoutPageView, find_principal, first_step, stop_url
from shop.core import clock, limits
from shop.core.http import network_address
from shop.core.money import Money
from shop.core.web.own import remember_own
from shop.core.web.pages import see_other

_TOTAL_DIGITS = 12


def read_amount(text: str) -> int | None:
    """Read an amount in minor units that a page put into its form."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _TOTAL_DIGITS else None


def read_currency(request: HttpRequest) -> str:
    """Read what the amounts of a page's form are in; empty if it does not say."""
    return request.POST.get("currency", "")[:3]


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line of which there is more or less than the shopper saw; a quantity of 0: it was not there, or is gone."""

    title: str
    was: int
    now: int
    unit_price: Money | None
    """Of what is there now."""


def ask_agreement(
    request: HttpRequest, refusal: PriceChangedError, *, back: str, seen: CheckoutView | None = None
) -> HttpResponse:
    """Show what changed, line by line, with “Continue at …”. Nothing was charged.

    `seen` is the checkout as the shopper saw it; none: it has not begun, and nothing is reserved.
    """
    codes_off = [code_off_words(off) for off in refusal.quote.codes_off]
    context = {
        "quote": refusal.quote,
        "changes": refusal.changes,
        "line_changes": _line_changes(refusal.quote, seen.lines) if seen else (),
        "over": _promotions_over(refusal.quote, seen) if seen else (),
        "codes_off": codes_off,
        "back": back,
        "is_reserved": seen is not None and seen.reservation_state is ReservationState.SOFT,
        "is_other_currency": any(change.was.currency != change.now.currency for change in refusal.changes),
    }
    return render(request, "checkout/agree.html", context, status=409)


def _promotions_over(quote: PriceQuote, seen: CheckoutView) -> tuple[str, ...]:
    """Name the promotions that took something off before and do not any more; of codes the quote itself tells."""
    left = {discount.promotion_id for discount in quote.discounts}
    return tuple(
        discount.name for discount in seen.discounts if discount.code_id is None and discount.promotion_id not in left
    )


def _line_changes(quote: PriceQuote, seen: Sequence[CheckoutLine]) -> tuple[LineChange, ...]:
    """List the lines of which another number is bought than the shopper saw; gone ones come last."""
    before = {line.sku_id: line for line in seen}
    now = {line.sku_id: line for line in quote.lines}
    added = [sku_id for sku_id in now if sku_id not in before]
    cards = catalog.list_cards(sku_ids=added) if added else {}
    titles = {sku_id: card.title for sku_id, card in cards.items()} | {line.sku_id: line.title for line in seen}
    return tuple(
        LineChange(
            title=titles.get(sku_id, sku_id),
            was=before[sku_id].quantity if sku_id in before else 0,
            now=now[sku_id].quantity if sku_id in now else 0,
            unit_price=now[sku_id].unit_price if sku_id in now else None,
        )
        for sku_id in dict.fromkeys((*now, *before))
        if sku_id not in before or sku_id not in now or before[sku_id].quantity != now[sku_id].quantity
    )


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
