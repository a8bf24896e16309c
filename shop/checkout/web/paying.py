"""Paying, waiting for the bank, and the offline bank's own page."""

from __future__ import annotations

from contextlib import suppress

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from inventory.errors import InsufficientStockError, ReservationExpiredError
from pricing.errors import CodeUsedUpError
from shop.checkout import selectors, services
from shop.checkout.conf import conf
from shop.checkout.errors import (
    CheckoutIncompleteError,
    GatewayUnavailableError,
    LineUnavailableError,
    PaymentDeclinedError,
    PaymentInProgressError,
    PriceChangedError,
)
from shop.checkout.types import CheckoutState, CheckoutView, PaymentState, Principal
from shop.checkout.web import forms
from shop.checkout.web.base import (
    CheckoutPageView,
    after_payment,
    checkout_of,
    elsewhere,
    find_principal,
    read_token,
    step_url,
)
from shop.checkout.web.starting import ask_agreement, read_amount, read_currency
from shop.checkout.web.steps import render_review
from shop.core import clock
from shop.core.errors import BusyError, Refusal
from shop.core.web.pages import PageView, see_other, status_of
from shop.core.words import detail_words, words

_LEADS_TO: dict[type[Refusal], str] = {
    PaymentDeclinedError: "payment",
    PaymentInProgressError: "waiting",
    CheckoutIncompleteError: "delivery",
    ReservationExpiredError: "review",
}
"""Refusals of a payment that a page of its own shows already."""


class PayView(CheckoutPageView):
    """The button “Pay …”."""

    def get(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Lead back to the review: a reload after an error must not pay."""
        return see_other(step_url("review", checkout_id))

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Pay what the button said. The key in the form makes a second press the same payment."""
        principal, checkout = checkout_of(request, checkout_id)
        if checkout.state is not CheckoutState.OPEN and (gone := elsewhere(checkout)):
            return see_other(gone)
        total = read_amount(request.POST.get("expected_total", ""))
        key = request.POST.get("key", "")[:64]
        try:
            payment = services.pay(
                checkout_id=checkout_id,
                principal=principal,
                method=conf().gateway,
                provider_token=read_token(request, checkout_id) or forms.ways()[0],
                expected_total=-1 if total is None else total,
                expected_currency=read_currency(request),
                key=key,
                now=clock.now(),
            )
        except tuple(_LEADS_TO) as refusal:
            return see_other(step_url(_LEADS_TO[type(refusal)], checkout_id))
        except PriceChangedError as refusal:
            return ask_agreement(request, refusal, back=step_url("review", checkout_id), seen=checkout)
        except CodeUsedUpError:
            return _ask_without_code(request, principal, checkout_id)
        except (InsufficientStockError, LineUnavailableError, GatewayUnavailableError, BusyError) as refusal:
            sentence = " ".join(detail_words(detail) for detail in refusal.errors) or words(refusal).detail
            _principal, checkout = checkout_of(request, checkout_id)
            return render_review(request, checkout, refused=sentence, status=status_of(refusal))
        return see_other(after_payment(request, payment))


class WaitingView(CheckoutPageView):
    """“We are waiting for your bank”."""

    def get(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Show the page, or go on when the payment is decided."""
        principal, checkout = checkout_of(request, checkout_id)
        url = _decided(request, principal, checkout)
        return see_other(url) if url else render(request, "checkout/waiting.html", {"checkout": checkout})

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Ask the bank again (“Check again”); the page's script does it every few seconds and is told where to go."""
        principal, checkout = checkout_of(request, checkout_id)
        url = ""
        if checkout.state is CheckoutState.PAYING and checkout.last_payment_id:
            try:
                payment = services.check_payment(
                    checkout_id=checkout_id, payment_id=checkout.last_payment_id, principal=principal, now=clock.now()
                )
                url = "" if payment.action_url else after_payment(request, payment)  # the payer came back from there
            except PaymentDeclinedError:
                url = step_url("payment", checkout_id)
        else:
            url = _decided(request, principal, checkout)
        url = url or step_url("waiting", checkout_id)
        if request.headers.get("Accept", "").startswith("application/json"):
            return JsonResponse({"url": "" if url == request.path else url})
        return see_other(url)


class StopView(CheckoutPageView):
    """“Pay in another way”, while the provider's page waits for the payer."""

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """End the payment at the provider; one that is decided meanwhile stands."""
        principal, checkout = checkout_of(request, checkout_id)
        if checkout.state is not CheckoutState.PAYING or not checkout.last_payment_id:
            return see_other(elsewhere(checkout) or step_url("payment", checkout_id))
        try:
            services.give_up_payment(
                checkout_id=checkout_id, payment_id=checkout.last_payment_id, principal=principal, now=clock.now()
            )
        except PaymentDeclinedError:
            return see_other(step_url("payment", checkout_id))
        return see_other(step_url("waiting", checkout_id))


class PayerView(PageView):
    """Where a payer confirms a payment to the offline bank, and where every bank sends them back to.

    The link itself is the permission: an app opens it in a browser that has no cookie of the cart.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the offline bank's page while a payment waits for it; then go on in the shop, or say that it is done."""
        payment, owner = selectors.get_payment_for_payer(token=token)
        if payment.action_url == request.path:
            return _private(render(request, "checkout/bank.html", {"payment": payment, "url": request.path}))
        asking = find_principal(request)
        if asking is not None and asking.owner == owner.owner:
            return see_other(step_url("waiting", payment.checkout_id))
        is_failed = payment.state is PaymentState.FAILED
        return _private(render(request, "checkout/paid_elsewhere.html", {"payment": payment, "is_failed": is_failed}))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Play the bank: confirm or refuse."""
        payment, owner = selectors.get_payment_for_payer(token=token)
        with suppress(PaymentDeclinedError):
            services.finish_action(
                checkout_id=payment.checkout_id,
                payment_id=payment.payment_id,
                principal=owner,
                approve=request.POST.get("answer") == "approve",
                now=clock.now(),
            )
        return see_other(request.path)


def _ask_without_code(request: HttpRequest, principal: Principal, checkout_id: str) -> HttpResponse:
    """Show what a checkout costs without the code that was used up a moment ago."""
    back = step_url("review", checkout_id)
    try:
        services.reserve_again(checkout_id=checkout_id, principal=principal, accepted_total=None, now=clock.now())
    except PriceChangedError as refusal:
        return ask_agreement(request, refusal, back=back)
    return see_other(back)


def _decided(request: HttpRequest, principal: Principal, checkout: CheckoutView) -> str:
    """Say where to go if the checkout's payment is decided; empty while it is not."""
    if checkout.state is CheckoutState.PAYING:
        return ""
    if checkout.state is CheckoutState.OPEN:
        return step_url(
            "payment" if checkout.last_payment_state is PaymentState.FAILED else "review", checkout.checkout_id
        )
    if checkout.last_payment_id:
        payment = selectors.get_payment(
            checkout_id=checkout.checkout_id, payment_id=checkout.last_payment_id, principal=principal
        )
        if payment.order_number:
            return after_payment(request, payment)
    return elsewhere(checkout)


def _private(response: HttpResponse) -> HttpResponse:
    response["X-Robots-Tag"] = "noindex"
    # Not `no-referrer`: with it browsers send `Origin: null`, and the page's own form is refused. The path, and the
    # token in it, leaves with neither.
    response["Referrer-Policy"] = "strict-origin"
    return response
