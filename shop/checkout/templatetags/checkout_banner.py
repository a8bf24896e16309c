"""The cart page's view of the checkout under way. The page belongs to a lower layer, so its template asks for this."""

from __future__ import annotations

from django import template
from django.http import HttpRequest
from django.template.loader import render_to_string

from shop.checkout.under_way import find_under_way
from shop.checkout.web.base import find_principal, minutes_left
from shop.core import clock

register = template.Library()


@register.simple_tag(takes_context=True)
def open_checkout(context: template.Context) -> str:
    """Show “Checkout in progress” with its links, if there is one; a visitor without a cart costs no query."""
    request: HttpRequest = context["request"]
    principal = find_principal(request)
    checkout = find_under_way(principal=principal) if principal else None
    if checkout is None:
        return ""
    end = checkout.reserved_until
    shown = {
        "checkout": checkout,
        "is_paying": checkout.is_paying,
        "minutes": minutes_left(end, clock.now()) if end else 0,
        "csrf_token": context.get("csrf_token"),
    }
    return render_to_string("checkout/_banner.html", shown)
