"""For pages: money in the shopper's locale, ids that are safe in HTML and CSS, parts that are drawn once."""

from __future__ import annotations

import re
from functools import lru_cache

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, to_locale

from shop.core.money import Money

register = template.Library()

_OUTSIDE_ID = re.compile(r"[^A-Za-z0-9-]")


def format_money(amount: Money) -> str:
    """Write an amount as people of the active language do."""
    return amount.format(to_locale(get_language() or "en-gb"))


@register.filter
def money(amount: Money | None) -> str:
    """Write an amount; nothing where there is none."""
    return "" if amount is None else format_money(amount)


@register.filter
def dom_id(sku_id: str) -> SafeString:
    """Turn a SKU's id into one that is safe in `id`, `for` and CSS selectors; different ids stay different."""
    # Only letters, digits, hyphens and underscores are left, so there is nothing to escape.
    return mark_safe(_OUTSIDE_ID.sub(lambda match: f"_{ord(match[0]):x}_", sku_id))  # noqa: S308


@register.simple_tag
def has_client_carts() -> bool:
    """Tell whether guests' carts are kept in their browsers (`CART_GUEST_STORAGE`)."""
    return bool(settings.CART.guest_storage == "client")


@register.simple_tag
def count_languages() -> int:
    """Tell how many languages shoppers can choose from."""
    return len(settings.LANGUAGES)


@register.simple_tag
def client_limits() -> str:
    """Write what bounds a cart that a browser keeps: units of one SKU, lines, saved lines."""
    limits = settings.CART
    return f"{limits.max_quantity} {limits.max_lines} {limits.max_saved}"


@register.simple_tag
def kept(name: str, **values: int | str | None) -> SafeString:
    """Draw a part of a page that follows from the language and `values` alone, which are few; it is kept as drawn.

    Nothing else of the page is at hand in its template. While templates are being written (DEBUG) nothing is kept.
    """
    key = (name, get_language() or "", tuple(values.items()))
    # What the template wrote: escaped there.
    return mark_safe(_draw(*key) if settings.DEBUG else _kept(*key))  # noqa: S308


def _draw(name: str, _language: str, values: tuple[tuple[str, int | str | None], ...]) -> str:
    return render_to_string(name, dict(values))


_kept = lru_cache(maxsize=500)(_draw)
