"""What the checkout's pages share: who asks, where each step leads, what every step shows beside its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from cart import identity
from inventory.types import ReservationState
from shop.checkout import selectors
from shop.checkout.errors import CheckoutCancelledError, CheckoutUnknownError
from shop.checkout.messages import refund_words
from shop.checkout.types import CheckoutState, CheckoutView, PaymentState, PaymentView, Principal
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.web.pages import PageView, refused, see_other
from shop.core.web.told import pack_told

STEPS = ("delivery", "payment", "review")
_DRAFTS = "checkout_drafts"
_TOKENS = "checkout_tokens"
_ORDERS = "orders"
_KEPT = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One of the three steps, for the list on top of each."""

    name: str
    title: str
    url: str
    """Empty for a step that cannot be gone to yet, and for the present one."""
    is_current: bool


def find_principal(request: HttpRequest) -> Principal | None:
    """Tell who asks: the customer, or the guest whose cart this browser holds; None for a visitor without a cart."""
    ref = identity.cart_ref(request)
    if ref is None:
        return None
    email = request.user.email if request.user.is_authenticated else ""
    return Principal(owner=ref.owner, user_id=ref.user_id, email=email)


def step_url(step: str, checkout_id: str) -> str:
    """Give the address of a step, or of another page of one checkout."""
    return reverse(f"checkout:{step}", args=[checkout_id])


def order_url(number: str) -> str:
    """Give the address of an order."""
    return reverse("orders:order", args=[number])


def stop_url(code: str, *, told: Sequence[str] = ()) -> str:
    """Give the address of the cart that says why checkout did not start or what was done, with `told` line by line."""
    details = {"told": pack_told(told)} if told else {}
    return reverse("cart:cart") + "?" + urlencode({"stop": code, **details})


class CheckoutPageView(PageView):
    """A page of one checkout; only its owner sees it."""

    def refuse(self, request: HttpRequest, refusal: Refusal) -> HttpResponse:
        """Show a refusal; a checkout that was cancelled elsewhere leads to the cart, which says so."""
        if isinstance(refusal, CheckoutCancelledError):
            return see_other(stop_url(refusal.code))
        return refused(request, refusal)


def require_principal(request: HttpRequest) -> Principal:
    """Tell who asks.

    :raises CheckoutUnknownError: if it is a visitor without a cart: nothing can be theirs.
    """
    principal = find_principal(request)
    if principal is None:
        raise CheckoutUnknownError
    return principal


def elsewhere(checkout: CheckoutView) -> str:
    """Say where a checkout that is not open (any more) goes on; empty if it is open."""
    if checkout.state is CheckoutState.COMPLETED and checkout.order_number:
        return order_url(checkout.order_number)
    if checkout.state is CheckoutState.PAYING:
        return checkout.action_url or step_url("waiting", checkout.checkout_id)
    if checkout.state is CheckoutState.OPEN:
        return ""
    return stop_url("checkout_cancelled")


def first_step(checkout: CheckoutView) -> str:
    """Give the address of the first step that is not done yet."""
    gone = elsewhere(checkout)
    if gone:
        return gone
    is_addressed = "email" not in checkout.requirements and "shipping_address" not in checkout.requirements
    return step_url("payment" if is_addressed else "delivery", checkout.checkout_id)


def after_payment(request: HttpRequest, payment: PaymentView) -> str:
    """Give the address where a payment goes on, and let this browser see the order from now on."""
    if payment.order_number:
        remember_order(request, payment.order_number)
        forget(request, payment.checkout_id)
        return order_url(payment.order_number)
    return payment.action_url or step_url("waiting", payment.checkout_id)


def steps(checkout: CheckoutView, current: str) -> list[Step]:
    """List the three steps; done ones are links."""
    titles = {"delivery": _("Delivery"), "payment": _("Payment"), "review": _("Review and pay")}
    here = STEPS.index(current)
    return [
        Step(
            name, titles[name], step_url(name, checkout.checkout_id) if place < here else "", is_current=name == current
        )
        for place, name in enumerate(STEPS)
    ]


def minutes_left(end: datetime, now: datetime) -> int:
    """Count the minutes until `end`, begun ones too; 0 if it is over."""
    return max(0, ceil((end - now).total_seconds() / 60))


def render_step(
    request: HttpRequest, checkout: CheckoutView, step: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render one step with what stands beside each: summary, reservation, price lock."""
    now = clock.now()
    end = checkout.reservation_expires_at
    is_reserved = checkout.reservation_state is ReservationState.SOFT and end is not None
    shared = {
        "checkout": checkout,
        "step": step,
        "steps": steps(checkout, step),
        "place": STEPS.index(step) + 1,
        "is_reserved": is_reserved,
        "minutes": minutes_left(end, now) if is_reserved and end else 0,
        "ends_at": end,
        "server_time": now,
        "lock_minutes": minutes_left(checkout.lock_expires_at, now),
        "is_error": status != 200,  # noqa: PLR2004 - a refused form
        "refund": refund_words(checkout.refund) if checkout.refund else "",
        "is_declined": not is_reserved and checkout.last_payment_state is PaymentState.FAILED,
        "said": request.GET.get("said", ""),
    }
    return render(request, f"checkout/{step}.html", shared | context, status=status)


def remember_order(request: HttpRequest, number: str) -> None:
    """Let this browser see an order, whoever is signed in later."""
    known = [one for one in request.session.get(_ORDERS, []) if one != number]
    request.session[_ORDERS] = [*known, number][-_KEPT:]


def remembers_order(request: HttpRequest, number: str) -> bool:
    """Tell whether this browser placed the order, or showed its secret."""
    return number in request.session.get(_ORDERS, [])


def keep_draft(request: HttpRequest, checkout_id: str, typed: dict[str, str]) -> None:
    """Keep what is half typed while the shopper does something else on the page."""
    request.session[_DRAFTS] = {checkout_id: typed}


def read_draft(request: HttpRequest, checkout_id: str) -> dict[str, str]:
    """Give back what was half typed."""
    drafts: dict[str, dict[str, str]] = request.session.get(_DRAFTS, {})
    return drafts.get(checkout_id, {})


def keep_token(request: HttpRequest, checkout_id: str, token: str) -> None:
    """Keep the chosen way of paying from one step to the next."""
    request.session[_TOKENS] = {checkout_id: token}


def read_token(request: HttpRequest, checkout_id: str) -> str:
    """Give back the chosen way of paying, empty if none was."""
    tokens: dict[str, str] = request.session.get(_TOKENS, {})
    return tokens.get(checkout_id, "")


def forget(request: HttpRequest, checkout_id: str) -> None:
    """Drop what was kept for a checkout."""
    for name in (_DRAFTS, _TOKENS):
        if checkout_id in request.session.get(name, {}):
            del request.session[name]


def checkout_of(request: HttpRequest, checkout_id: str) -> tuple[Principal, CheckoutView]:
    """Read a checkout of whoever asks.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it was cancelled.
    """
    principal = require_principal(request)
    return principal, selectors.get_checkout(checkout_id=checkout_id, principal=principal, now=clock.now())
