"""The three steps: delivery, payment, review."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse

from shop.checkout import selectors, services
from shop.checkout.types import CheckoutView, PaymentState, Principal
from shop.checkout.web import forms
from shop.checkout.web.base import (
    CheckoutPageView,
    checkout_of,
    elsewhere,
    forget,
    keep_token,
    read_draft,
    read_token,
    render_step,
    step_url,
)
from shop.core import clock
from shop.core.errors import RejectedError
from shop.core.ids import new_token
from shop.core.web.pages import see_other


class DeliveryView(CheckoutPageView):
    """Where the order goes, and whom to tell."""

    def get(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Show the form, with what is known."""
        principal, checkout = checkout_of(request, checkout_id)
        if gone := elsewhere(checkout):
            return see_other(gone)
        typed = _known(principal, checkout) | read_draft(request, checkout_id)
        return self._show(request, checkout, typed, {})

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Take what was typed; all wrong fields are shown at once, nothing typed is lost."""
        principal, checkout = checkout_of(request, checkout_id)
        if gone := elsewhere(checkout):
            return see_other(gone)
        typed = forms.read(request.POST)
        try:
            services.update_details(
                checkout_id=checkout_id,
                principal=principal,
                details=forms.details(typed),
                expected_version=None,
                now=clock.now(),
            )
        except RejectedError as refusal:
            return self._show(request, checkout, typed, forms.errors(refusal), status=422)
        forget_draft(request, checkout_id)
        is_back = request.POST.get("next") == "review" and read_token(request, checkout_id)
        return see_other(step_url("review" if is_back else "payment", checkout_id))

    def _show(
        self,
        request: HttpRequest,
        checkout: CheckoutView,
        typed: dict[str, str],
        errors: dict[str, str],
        *,
        status: int = 200,
    ) -> HttpResponse:
        fields = forms.fields(typed, errors, currency=checkout.currency)
        context = {
            "fields": fields,
            "errors": [field for field in fields if field.error],
            "consent": typed.get("consent_reminders") == "on",
            "is_guest": not request.user.is_authenticated,
        }
        return render_step(request, checkout, "delivery", context, status=status)


def _known(principal: Principal, checkout: CheckoutView) -> dict[str, str]:
    """Fill a form that nobody has filled in yet with what a customer's last order says."""
    if checkout.address is not None:
        return forms.known(checkout)
    last = selectors.find_last_address(principal=principal)
    return forms.known(replace(checkout, email=checkout.email or principal.email, address=last))


def forget_draft(request: HttpRequest, checkout_id: str) -> None:
    """Drop what was half typed; the chosen way of paying stays."""
    token = read_token(request, checkout_id)
    forget(request, checkout_id)
    if token:
        keep_token(request, checkout_id, token)


class PaymentStepView(CheckoutPageView):
    """How to pay."""

    def get(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Show the choice; a total of 0 needs none."""
        _principal, checkout = checkout_of(request, checkout_id)
        if gone := elsewhere(checkout) or _missing_details(checkout):
            return see_other(gone)
        if checkout.total.minor == 0:
            return see_other(step_url("review", checkout_id))
        return self._show(request, checkout, "")

    def post(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Keep the choice for the review."""
        _principal, checkout = checkout_of(request, checkout_id)
        if gone := elsewhere(checkout) or _missing_details(checkout):
            return see_other(gone)
        token = request.POST.get("provider_token", "")
        if token not in forms.ways():
            return self._show(request, checkout, forms.choose_words(), status=422)
        keep_token(request, checkout_id, token)
        return see_other(step_url("review", checkout_id))

    def _show(self, request: HttpRequest, checkout: CheckoutView, error: str, *, status: int = 200) -> HttpResponse:
        context = {
            "is_hosted": forms.is_hosted(),
            "outcomes": forms.outcomes(read_token(request, checkout.checkout_id)),
            "error": error,
            "is_declined": checkout.last_payment_state is PaymentState.FAILED,
        }
        return render_step(request, checkout, "payment", context, status=status)


class ReviewView(CheckoutPageView):
    """Everything once more, on the page with the button that pays."""

    def get(self, request: HttpRequest, checkout_id: str) -> HttpResponse:
        """Show it."""
        _principal, checkout = checkout_of(request, checkout_id)
        if gone := elsewhere(checkout) or _missing_details(checkout):
            return see_other(gone)
        if checkout.total.minor and read_token(request, checkout_id) not in forms.ways():
            return see_other(step_url("payment", checkout_id))
        return render_review(request, checkout)


def render_review(
    request: HttpRequest, checkout: CheckoutView, *, refused: str = "", status: int = 200
) -> HttpResponse:
    """Render the review; its form carries a key, so that pressing twice pays once."""
    context = {
        "key": new_token(),
        "paying_with": forms.way_title(read_token(request, checkout.checkout_id)),
        "refused": refused,
        "country": forms.country_name(checkout.address.country) if checkout.address else "",
    }
    return render_step(request, checkout, "review", context, status=status)


def _missing_details(checkout: CheckoutView) -> str:
    if {"email", "shipping_address"} & set(checkout.requirements):
        return step_url("delivery", checkout.checkout_id)
    return ""
