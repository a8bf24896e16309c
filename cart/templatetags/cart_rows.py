"""Rows and small parts of the cart page, drawn once.

A row's HTML follows from its `Row`, the language and whether the cart is a copy; whatever else a page is about is
the same in all of its rows. So a row is kept as drawn, with marks where the page's version and the visitor's CSRF
token go, and another price, quantity or stock is another `Row`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from cart.web.present import CartPage, Gone, Row

register = template.Library()

KEPT = 2_000
"""Rows that a process keeps, about 4 kB each."""

# Nobody can write these into a title or a field: every process makes its own.
_VERSION = f"version{secrets.token_hex(12)}"
_TOKEN = f"token{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class _Page:
    """All that the template of a row may use of its page."""

    is_copy: bool
    version: str = _VERSION


@register.simple_tag(takes_context=True)
def cart_rows(context: template.Context) -> SafeString:
    """Draw the page's rows, and what stands in the place of one that went."""
    page: CartPage = context["page"]
    return _filled("cart/_line.html", page.entries, context)


@register.simple_tag(takes_context=True)
def cart_row(context: template.Context, row: Row) -> SafeString:
    """Draw one row of the cart."""
    return _filled("cart/_line.html", [row], context)


@register.simple_tag(takes_context=True)
def saved_rows(context: template.Context) -> SafeString:
    """Draw the rows of the saved list, and what stands in the place of one that went."""
    page: CartPage = context["page"]
    return _filled("cart/_saved_line.html", page.saved_entries, context)


@register.simple_tag(takes_context=True)
def cart_part(context: template.Context, name: str, **values: object) -> SafeString:
    """Draw a part of the page that follows from `values` (what its template reads of `page`), token and version."""
    language = get_language() or ""
    key = (name, language, tuple(values.items()))
    return _with_marks_filled(_draw_part(*key) if settings.DEBUG else _kept_part(*key), context)


def _filled(name: str, entries: Iterable[Row | Gone], context: template.Context) -> SafeString:
    """Put the page's version and the visitor's token into rows as drawn."""
    is_copy = context["page"].is_copy
    language = get_language() or ""
    drawn = "".join(
        _draw_gone(entry) if isinstance(entry, Gone) else _row(name, entry, is_copy, language) for entry in entries
    )
    return _with_marks_filled(drawn, context)


def _with_marks_filled(drawn: str, context: template.Context) -> SafeString:
    version, token = str(context["page"].version), str(context["csrf_token"])
    # What the templates wrote: escaped there. The token is Django's, letters and digits.
    return mark_safe(drawn.replace(_VERSION, version).replace(_TOKEN, token))  # noqa: S308


def _row(name: str, row: Row, is_copy: bool, language: str) -> str:  # noqa: FBT001 - a key
    # What was typed or said stands on one page once: not worth a place. Nothing is while templates are being written.
    is_passing = settings.DEBUG or row.error or row.said or row.typed != str(row.quantity)
    return _draw(name, row, is_copy) if is_passing else _kept(name, row, is_copy, language)


@lru_cache(maxsize=KEPT)
def _kept(name: str, row: Row, is_copy: bool, language: str) -> str:  # noqa: FBT001 - a key
    return _draw(name, row, is_copy)


def _draw(name: str, row: Row, is_copy: bool) -> str:  # noqa: FBT001 - a key
    return render_to_string(name, {"row": row, "page": _Page(is_copy), "csrf_token": _TOKEN})


def _draw_gone(gone: Gone) -> str:
    return render_to_string("cart/_gone.html", {"gone": gone, "csrf_token": _TOKEN})


def _draw_part(name: str, _language: str, values: tuple[tuple[str, object], ...]) -> str:
    return render_to_string(name, {"page": {**dict(values), "version": _VERSION}, "csrf_token": _TOKEN})


_kept_part = lru_cache(maxsize=KEPT)(_draw_part)
