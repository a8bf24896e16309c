"""What a customer who asks for their data is given of what was written to them, and of what they said to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q

from notifications import links
from notifications.models import Abandonment, MailEvent, Message, Preference, SavedNews, Suppression, Touch


def export_customer(*, user_id: int | None, email: str, order_numbers: Collection[str]) -> dict[str, Any]:
    """Give reminders, mails of these orders, visits by their links, wishes and suppressions, as JSON-able values.

    Times are ISO 8601 in UTC, amounts minor units. Without the secrets of links. Seven queries.
    """
    mine = Q(pk__in=[]) if user_id is None else Q(user_id=user_id)
    events = Abandonment.objects.filter(mine).order_by("pk")
    saved = SavedNews.objects.filter(mine).order_by("pk")
    of_mine = Q(abandonment__in=events) | Q(order_number__in=order_numbers) | Q(pk__in=saved.values("message"))
    mails = Message.objects.filter(of_mine).order_by("pk")
    suppressed = Suppression.objects.filter(email_hash__in=links.address_hashes(email)) if email else ()
    return {
        "abandoned_carts": [
            {
                "left_at": event.abandoned_at.isoformat(),
                "state": event.state,
                "reason": event.close_reason,
                "value_minor": event.value_minor,
                "currency": event.currency,
                "cart": event.snapshot,
                "order_number": event.order_number,
            }
            for event in events
        ],
        "mails": [
            {
                "mail": mail.template_key,
                "made_at": mail.created_at.isoformat(),
                "sent_at": mail.sent_at.isoformat() if mail.sent_at else None,
                "state": mail.state,
                "reason": mail.reason,
                "to": mail.recipient,
                "order_number": mail.order_number,
                "shown": mail.shown,
            }
            for mail in mails
        ],
        "news_of_saved_items": [
            {
                "sku": row.sku_id,
                "what": row.topic,
                "saved_at": row.saved_at.isoformat(),
                "price_minor": row.value if row.was_minor is not None else None,
                "price_when_saved_minor": row.was_minor,
                "currency": row.currency,
                "found_at": row.found_at.isoformat(),
            }
            for row in saved
        ],
        "visits_by_links": [
            {"at": touch.at.isoformat(), "what": touch.kind}
            for touch in Touch.objects.filter(message__in=mails).order_by("pk")
        ],
        "news_of_mails": [
            {"at": news.at.isoformat(), "what": news.kind, "provider": news.provider}
            for news in MailEvent.objects.filter(message__in=mails).order_by("pk")
        ],
        "wishes": [
            {
                "topic": wish.topic,
                "wanted": wish.is_granted,
                "wording": wish.wording,
                "where": wish.source,
                "at": wish.collected_at.isoformat(),
            }
            for wish in Preference.objects.filter(mine).order_by("pk")
        ],
        "suppressions": [{"what": row.scope, "since": row.created_at.isoformat()} for row in suppressed],
    }
