"""Write the mail with news of saved items: prices of this moment, in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications import links
from notifications.conf import conf, link_base
from notifications.links import Purpose
from notifications.services import reminders
from notifications.types import Letter, SavedItem
from shop.checkout.messages import format_money

MOST_ITEMS = 10
_UTM = {"utm_source": "shop-notifications", "utm_medium": "email", "utm_campaign": "saved-items"}


def letter(*, public_id: str, items: Sequence[SavedItem], recipient: str, language: str) -> Letter:
    """Render the news. The language of whoever works here comes back afterwards."""
    link_id = links.new_link(public_id)
    unsubscribe = f"{link_base()}/e/u/{links.token(Purpose.UNSUBSCRIBE, link_id)}"
    with translation.override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        subject = " ".join(_subject(items).split())[:200]
        context: dict[str, Any] = {
            "subject": subject,
            "items": [_shown(item) for item in items[:MOST_ITEMS]],
            "more": max(0, len(items) - MOST_ITEMS),
            "shop": _tagged("/", "logo"),
            "saved": _tagged("/cart/", "cta"),
            "unsubscribe": unsubscribe,
            "preferences": f"{link_base()}/e/p/{links.token(Purpose.PREFERENCES, link_id)}",
            "postal_address": conf().postal_address,
            "language": translation.get_language() or settings.LANGUAGE_CODE,
        }
        return Letter(
            recipient=recipient,
            subject=subject,
            text=render_to_string("notifications/mail/saved_news.txt", context),
            html=render_to_string("notifications/mail/saved_news.html", context),
            language=str(context["language"]),
            sender=conf().from_address,
            reply_to=conf().reply_to,
            tag="saved-items",
            headers=reminders.list_headers("Saved items", link_id),
        )


def _subject(items: Sequence[SavedItem]) -> str:
    if len(items) > 1:
        return ngettext("News of %(n)d item that you saved", "News of %(n)d items that you saved", len(items)) % {
            "n": len(items)
        }
    item = items[0]
    if item.is_back:
        return _("Back in stock: %(item)s") % {"item": item.card.title}
    return _("Costs less now: %(item)s") % {"item": item.card.title}


def _shown(item: SavedItem) -> dict[str, str | bool]:
    return {
        "title": item.card.title,
        "url": _tagged(item.card.url, "item"),
        "picture": link_base() + item.card.bitmap_url,
        "price": format_money(item.price),
        "less": format_money(item.less) if item.less else "",
        "is_back": item.is_back,
    }


def _tagged(path: str, slot: str) -> str:
    start = "&" if "?" in path else "?"
    return link_base() + path + start + urlencode({**_UTM, "utm_content": slot})
