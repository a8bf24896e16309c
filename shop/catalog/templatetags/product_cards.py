"""Cards of the product list, drawn once: a card's HTML follows from its `ListCard`, its place and the language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from shop.catalog.web.present import ListCard

register = template.Library()

KEPT = 2_000
"""Cards that a process keeps, under 1 kB each."""
_FAR = 12
"""Cards from here on load their pictures lazily."""


@register.simple_tag
def product_cards(cards: Sequence[ListCard]) -> SafeString:
    """Draw the cards of a page."""
    language = get_language() or ""
    draw = _draw if settings.DEBUG else _kept  # nothing is kept while templates are being written
    drawn = "".join(draw(card, index >= _FAR, language) for index, card in enumerate(cards))
    return mark_safe(drawn)  # noqa: S308 - what the template wrote: escaped there


def _draw(card: ListCard, is_far: bool, _language: str) -> str:  # noqa: FBT001 - a key
    return render_to_string("catalog/_card.html", {"card": card, "is_far": is_far})


_kept = lru_cache(maxsize=KEPT)(_draw)
