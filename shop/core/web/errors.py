"""Error pages in the shop's look. None of them asks a database, Redis, the session or the user."""

from __future__ import annotations

import sys
from urllib.parse import urlencode

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from shop.core.errors import UnavailableError
from shop.core.web.pages import NO_STORE, unavailable


def _page(status: int, title: str, detail: str, link: str, link_text: str) -> HttpResponse:
    # Without the request: no context processor runs, so nothing can be asked that may be what is broken.
    context = {"title": title, "detail": detail, "link": link, "link_text": link_text}
    response = render(None, "errors/page.html", context, status=status)
    response["Cache-Control"] = NO_STORE
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _page(
        400,
        _("This request could not be read"),
        _("Something in the address or the form was damaged on its way. Nothing was changed."),
        reverse("catalog:list"),
        _("Keep shopping"),
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    return _page(
        403,
        _("Not allowed"),
        _("You may not see or do this. Nothing was changed."),
        reverse("catalog:list"),
        _("Keep shopping"),
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _page(
        404,
        _("Page not found"),
        _("There is nothing at this address. It may have moved, or the link was copied incompletely."),
        reverse("catalog:list"),
        _("Keep shopping"),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 if a server behind us is away: for pages that are not ours, such as the admin's."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError | UnavailableError):
        response = unavailable(request)
        response["Cache-Control"] = NO_STORE
        return response
    return _page(
        500,
        _("Something broke on our side"),
        _("It has been recorded. Your cart is kept. Please try again in a minute."),
        reverse("catalog:list"),
        _("Keep shopping"),
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 for a form of a page that has become too old, with a way back that keeps what was typed.

    A link cannot change anything, so the quantity goes along as a query, and the page shows it in its field, unsaved.
    """
    return stale_form(back=_way_back(request), quantity=request.POST.get("quantity", ""))


def stale_form(*, back: str, quantity: str) -> HttpResponse:
    """Say that a form could not be checked, with a link to `back`; `quantity` is what had been typed, if anything."""
    detail = _("For your safety we check that each form comes from a fresh page of this shop. Nothing was changed.")
    if quantity:
        detail += " " + _("What you typed is kept: open the page again and send it once more.")
    return _page(403, _("This page was open for too long"), detail, back, _("Open the page again"))


def _way_back(request: HttpRequest) -> str:
    quantity = request.POST.get("quantity", "")[:8]
    segments = request.path.split("/")
    # /cart/lines/<sku>/ is the one form with something typed; the checkout's forms lead back to themselves.
    match segments:
        case ["", "cart", "lines", sku_id, *_rest] if quantity:
            return reverse("cart:cart") + "?" + urlencode({"edit": sku_id, "quantity": quantity})
        case ["", "cart", *_rest]:
            return reverse("cart:cart")
        case ["", "checkout", _checkout_id, ("delivery" | "payment" | "review"), *_rest]:
            return request.path
        case ["", "checkout", *_rest]:
            return reverse("cart:cart")
        case ["", "accounts", *_rest]:
            return request.path
        case _:
            return reverse("catalog:list")
