"""Orders: the list, one order (which is also the confirmation), finding one as a guest, ordering again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from cart import identity
from cart.selectors import get_cart
from shop.checkout import access, selectors, services
from shop.checkout.errors import NothingToReorderError, OrderUnknownError
from shop.checkout.types import OrderView as Order
from shop.checkout.types import PaymentState, ReorderedLine, ReorderOutcome
from shop.checkout.web import forms
from shop.checkout.web.base import find_principal, order_url, remember_order, remembers_order, stop_url
from shop.core import clock, limits
from shop.core.errors import RejectedError
from shop.core.http import network_address
from shop.core.web.pages import PageView, see_other

PAGE = 20
_TRIES_A_MINUTE = 20


def payment_words(state: PaymentState) -> str:
    """Say how the payment of an order stands."""
    match state:
        case PaymentState.SUCCEEDED:
            return _("Paid")
        case PaymentState.REFUND_DUE:
            return _("Being refunded")
        case PaymentState.REFUNDED:
            return _("Refunded")
        case _:
            return _("Payment pending")


def again_words(line: ReorderedLine) -> str:
    """Say what became of a line that was ordered again and is not in the cart as it was ordered."""
    facts = {"title": line.title, "added": line.added, "ordered": line.ordered}
    match line.outcome:
        case ReorderOutcome.DISCONTINUED:
            return _("%(title)s is no longer sold: left out") % facts
        case ReorderOutcome.SOLD_OUT:
            return _("%(title)s: out of stock, left out") % facts
        case _ if line.added:
            return _("%(title)s: %(added)s of %(ordered)s added") % facts
        case _:
            return _("%(title)s: your cart already has as many as you can buy") % facts


def order_of(request: HttpRequest, number: str) -> Order:
    """Show an order to its owner, or to the browser that placed it or proved to know it.

    :raises OrderUnknownError: to everybody else.
    """
    if remembers_order(request, number):
        return selectors.get_order_for_mail(number=number)
    principal = find_principal(request)
    if principal is None:
        raise OrderUnknownError
    return selectors.get_order(number=number, principal=principal)


class OrderListView(PageView):
    """The orders of whoever asks, newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show 20 of them."""
        principal = find_principal(request)
        cursor = request.GET.get("cursor", "")
        try:
            found = selectors.list_orders(principal=principal, limit=PAGE, cursor=cursor) if principal else None
        except RejectedError:
            return see_other(request.path)
        orders = found.orders if found else ()
        context = {
            "orders": [{"order": order, "payment": payment_words(order.payment_state)} for order in orders],
            "next_cursor": found.next_cursor if found else "",
            "is_guest": not request.user.is_authenticated,
        }
        return render(request, "orders/list.html", context)


class OrderView(PageView):
    """One order."""

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        """Show it. Opening the page marks nothing as paid."""
        order = order_of(request, number)
        # The order emptied the cart, in another request or another process: the badge must not go on counting.
        cart = get_cart(ref=identity.cart_ref(request))
        identity.correct_shown(request, cart)
        context = {
            "order": order,
            "units": None if cart.is_copy else cart.units,
            "payment": payment_words(order.payment_state),
            "is_paid": order.payment_state is PaymentState.SUCCEEDED,
            "country": forms.country_name(order.address.country),
            "is_guest": not request.user.is_authenticated,
        }
        return _private(render(request, "orders/order.html", context))


class OrderAgainView(PageView):
    """“Order again”."""

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        """Put the order's lines into the cart; the cart names what was left out or is less than was ordered."""
        order = order_of(request, number)
        identity.require_pace(request)
        try:
            done = identity.perform(
                request, lambda ref: services.reorder(order=order, ref=ref, operation_id="", now=clock.now())
            )
        except NothingToReorderError:
            return see_other(stop_url("nothing_again"))
        receipt, change = done.result
        left_out = [again_words(line) for line in receipt.lines if line.outcome is not ReorderOutcome.ADDED]
        response = see_other(stop_url("ordered_again" if receipt.is_whole else "ordered_again_partly", told=left_out))
        identity.attach_session(response, request, new_token=done.new_token, cart=change.cart)
        return response


class FindOrderView(PageView):
    """A guest finds an order by its number and mail address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self._show(request, {}, "")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Look it up; a wrong number and a wrong address look the same."""
        number = request.POST.get("number", "").strip()[:64]
        email = request.POST.get("email", "").strip()[:254]
        standing = limits.count([limits.Counter("order_find", network_address(request), _TRIES_A_MINUTE)])
        if standing and standing.is_over:
            return self._show(request, request.POST, _("Too many tries. Please try again in a minute."), status=429)
        order = selectors.find_order(number=number, email=email)
        if order is None:
            sentence = _(
                "There is no order with this number and mail address. Both are in the confirmation that we sent."
            )
            return self._show(request, request.POST, sentence, status=422)
        remember_order(request, order.number)
        return see_other(order_url(order.number))

    def _show(self, request: HttpRequest, typed: object, error: str, *, status: int = 200) -> HttpResponse:
        context = {"typed": typed, "error": error, "is_error": bool(error)}
        return render(request, "orders/find.html", context, status=status)


class OrderLinkView(PageView):
    """The link of an order's mail: its secret is exchanged at once for the clean address."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Let this browser see the order."""
        number = access.verify_token(token=token)
        if not number:
            raise OrderUnknownError
        remember_order(request, number)
        response = _private(see_other(order_url(number)))
        response["Referrer-Policy"] = "no-referrer"
        return response


def _private(response: HttpResponse) -> HttpResponse:
    response["X-Robots-Tag"] = "noindex"
    return response
