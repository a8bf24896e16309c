"""The way back into a cart: a GET shows it, a POST copies it, and nobody is signed in by a link."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from cart import identity
from cart.types import CartChange, CartRef
from notifications import links, rules, services
from notifications.errors import LinkUnknownError
from notifications.links import Purpose
from notifications.services.restoring import LinkState, Restorable
from notifications.types import ReminderLine, TouchKind
from notifications.web.base import LinkPageView
from shop.checkout import services as checkout
from shop.checkout.types import Principal
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.http import network_address
from shop.core.web.own import remember_own
from shop.core.web.pages import see_other

_MOST_OF_TOKEN = 64
"""Characters of an undo token; what is longer is none of ours."""


class RestoreLinkView(LinkPageView):
    """The link of a mail: its token is exchanged at once for the clean address."""

    purpose = Purpose.RESTORE
    cookie = "restore"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Note the click, then send the browser on. A HEAD, which only scanners make, notes nothing."""
        message = self.by_token(request, token)
        if request.method == "GET":
            agent = request.headers.get("User-Agent", "")
            kind = TouchKind.SCAN if agent and rules.is_machine(agent) else TouchKind.CLICK
            services.note_touch(
                message=message,
                kind=kind,
                visitor=identity.cart_ref(request),
                source=links.source_hash(network_address(request)) if kind is TouchKind.CLICK else "",
                now=clock.now(),
            )
        return self.exchange(request, message, reverse("notifications:restore"))


class RestoreView(LinkPageView):
    """What was in the cart, at today's prices, and one button."""

    purpose = Purpose.RESTORE
    cookie = "restore"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it; nothing changes."""
        message = self.by_cookie(request)
        if message is None:
            return see_other(reverse("cart:cart"))
        found = services.look_at(message=message, visitor=identity.cart_ref(request), now=clock.now())
        if found.state is not LinkState.READY:
            return _ended(request, found)
        undo = request.GET.get("undo", "")
        return render(request, "notifications/restore.html", {**_context(found), "undo": undo[:_MOST_OF_TOKEN]})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Copy the lines into the visitor's own cart, then go on to checkout, or to the cart if that cannot be.

        Where they joined or replaced others, the page shows that first, with Undo: nobody pays for what they did not
        expect to find.

        :raises LinkUnknownError: if the half hour is over: the link in the mail begins another.
        """
        message, now = self.by_cookie(request), clock.now()
        if message is None:
            raise LinkUnknownError
        identity.finish_pending_merge(request)
        found = services.look_at(message=message, visitor=identity.cart_ref(request), now=now)
        if found.state is not LinkState.READY:
            return _ended(request, found)

        is_replacing = request.POST.get("how") == "replace"

        def copy(ref: CartRef) -> tuple[CartRef, CartChange | None]:
            return ref, services.restore(message=message, ref=ref, now=now, is_replacing=is_replacing)

        done = identity.perform(request, copy)
        ref, change = done.result
        services.note_touch(message=message, kind=TouchKind.RESTORE, visitor=ref, now=now)
        if change is not None and found.has_other_lines:
            response: HttpResponse = see_other(f"{reverse('notifications:restore')}?{urlencode({'undo': change.undo})}")
        else:
            response = _to_checkout(request, ref)
        identity.attach_session(response, request, new_token=done.new_token, cart=change.cart if change else None)
        return response


def _to_checkout(request: HttpRequest, ref: CartRef) -> HttpResponse:
    email = request.user.email if request.user.is_authenticated else ""
    principal = Principal(owner=ref.owner, user_id=ref.user_id, email=email)
    try:
        begun, _is_new = checkout.start_checkout(
            ref=ref, principal=principal, accepted_total=None, expected_cart_version=None, now=clock.now()
        )
    except Refusal:
        return see_other(reverse("cart:cart"))  # it says at each line what stands against it
    response = see_other(reverse("checkout:start"))
    remember_own(response, request, begun.checkout_id)
    return response


def _context(found: Restorable) -> dict[str, object]:
    return {
        "rows": [{"line": line, "is_cut": line.card.sku_id in found.cut, **_change(line)} for line in found.lines],
        "gone": found.gone,
        "is_own_unchanged": found.is_own_unchanged,
        "has_other_lines": found.has_other_lines,
    }


def _change(line: ReminderLine) -> dict[str, object]:
    """Tell what one unit costs more or less than when it was put into the cart."""
    before = line.price_at_add
    if before is None or before.currency != line.unit_price.currency or before == line.unit_price:
        return {"more": None, "less": None}
    difference = line.unit_price - before
    return {"more": difference if difference.minor > 0 else None, "less": -difference if difference.minor < 0 else None}


def _ended(request: HttpRequest, found: Restorable) -> HttpResponse:
    """Say in a friendly page why there is nothing to bring back, and show what can still be bought of it."""
    match found.state:
        case LinkState.ORDERED:
            title, detail = _("You have ordered already"), _("What was in this cart has been ordered. Thank you.")
            link, text = reverse("orders:list"), _("Your orders")
        case LinkState.NOTHING_LEFT:
            title = _("Sold out")
            detail = _("Nothing of what was in this cart can be bought any more. We are sorry.")
            link, text = reverse("catalog:list"), _("Keep shopping")
        case _:
            title = _("This link has expired")
            detail = _("Links to a cart work for 30 days. Your cart itself may still be there.")
            link, text = reverse("cart:cart"), _("View cart")
    context = {"title": title, "detail": detail, "link": link, "link_text": text, "cards": found.still_sold}
    return render(request, "notifications/ended.html", context, status=410)
