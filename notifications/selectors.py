"""Reads of messages, suppressions and preferences."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min, Q
from django.db.models.functions import Now

from notifications import links
from notifications.conf import OPT_OUT, conf
from notifications.exporting import export_customer
from notifications.models import Message, Suppression
from notifications.types import MessageKind, MessageState, Scope, Topic, Wishes
from shop.accounts import selectors as accounts
from shop.checkout import following
from shop.checkout.following import BuyerProfile
from shop.core.db import array_text, rows

_NEWEST = """
SELECT DISTINCT ON (user_id) user_id, is_granted FROM notifications_preference
 WHERE user_id = ANY(%(user_ids)s::bigint[]) AND topic = %(topic)s
 ORDER BY user_id, collected_at DESC, id DESC
"""

_STANDING = """
SELECT (SELECT p.is_granted FROM notifications_preference p
         WHERE p.user_id = %(user_id)s AND p.topic = %(topic)s ORDER BY p.collected_at DESC, p.id DESC LIMIT 1),
       coalesce((SELECT p.is_granted FROM notifications_preference p
                  WHERE p.user_id = %(user_id)s AND p.topic = %(opens)s
                  ORDER BY p.collected_at DESC, p.id DESC LIMIT 1), false),
       EXISTS (SELECT 1 FROM notifications_suppression s
                WHERE s.email_hash = ANY(%(hashes)s::text[]) AND s.scope IN ('all', 'cart_reminder')
                  AND (s.expires_at IS NULL OR s.expires_at > statement_timestamp())),
       EXISTS (SELECT 1 FROM notifications_abandonment a
                WHERE a.user_id = %(user_id)s AND a.cooldown_range @> %(now)s::timestamptz
                  AND a.id IS DISTINCT FROM %(event_id)s),
       (SELECT count(*) FROM notifications_abandonment a JOIN notifications_message m ON m.abandonment_id = a.id
         WHERE a.user_id = %(user_id)s AND a.cooldown_range IS NOT NULL AND m.due_at >= %(since)s
           AND m.state = ANY(%(counted)s))
"""
_SAVED_NEWS = """
SELECT user_id, array_agg(topic) FROM (
       SELECT DISTINCT ON (user_id, topic) user_id, topic, is_granted FROM notifications_preference
        WHERE user_id > %(after)s AND topic = ANY(%(topics)s::text[])
        ORDER BY user_id, topic, collected_at DESC, id DESC) newest
 WHERE is_granted GROUP BY user_id ORDER BY user_id LIMIT %(limit)s
"""
_SAVED_TOPICS = (Topic.PRICE_DROP, Topic.BACK_IN_STOCK)
CAP_TIME = timedelta(days=30)
_COUNTED = [
    state.value for state in (MessageState.SENDING, MessageState.SENT, MessageState.GHOST, MessageState.UNKNOWN)
]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is against a reminder to a customer at this address, as far as this app knows."""

    wish: bool | None
    """What they last said about reminders; None: nothing."""
    allows_opens: bool
    """They have said that reminders may tell when they are opened."""
    is_suppressed: bool
    is_cooling_down: bool
    """Another event of theirs had its first mail lately."""
    sent_lately: int
    """Reminders (and ghosts) within 30 days."""


__all__ = [
    "allows_opens",
    "export_customer",
    "find_by_link",
    "find_standing",
    "find_wishes",
    "has_basis",
    "is_suppressed",
    "list_who_wants_saved_news",
    "list_wishes",
    "offered_topics",
    "oldest_due_seconds",
    "saved_news_of",
    "wants_reminders",
    "wants_saved_news",
]


def oldest_due_seconds(*, now: datetime) -> int:
    """Tell for how many seconds the oldest due message has waited; 0 if none waits."""
    again = Q(state=MessageState.UNKNOWN.value, kind=MessageKind.ORDER.value)
    waiting = Message.objects.filter(Q(state=MessageState.DUE.value) | again, due_at__lte=now)
    oldest = waiting.aggregate(at=Min("due_at"))["at"]
    return max(0, int((now - oldest).total_seconds())) if oldest else 0


def list_wishes(*, user_ids: Collection[int], topic: Topic = Topic.CART_REMINDER) -> dict[int, bool]:
    """Tell what customers last said about a topic; who said nothing is absent. One query."""
    if not user_ids:
        return {}
    params = {"user_ids": array_text(user_ids), "topic": topic.value}
    return dict(rows(_NEWEST, params))


def list_who_wants_saved_news(*, after: int, limit: int) -> dict[int, frozenset[Topic]]:
    """List customers behind `after` who said yes to news of saved items, and to which; in order of their ids.

    One query, by the index.
    """
    params = {"after": after, "topics": [topic.value for topic in _SAVED_TOPICS], "limit": limit}
    return {user_id: frozenset(map(Topic, topics)) for user_id, topics in rows(_SAVED_NEWS, params)}


def wants_saved_news(*, user_id: int, email: str) -> frozenset[Topic]:
    """Tell which news of saved items reach a customer, as far as it depends on them: none at a suppressed address."""
    if is_suppressed(hashes=links.address_hashes(email), scope=Scope.SAVED_NEWS):
        return frozenset()
    return saved_news_of(user_id=user_id)


def saved_news_of(*, user_id: int) -> frozenset[Topic]:
    """Tell which news of saved items a customer said yes to."""
    return frozenset(topic for topic in _SAVED_TOPICS if list_wishes(user_ids=[user_id], topic=topic).get(user_id))


def find_standing(*, user_id: int | None, hashes: Collection[str], event_id: int | None, now: datetime) -> Standing:
    """Tell what is against a reminder; the cool-down of the event itself is none. One query."""
    params = {
        "user_id": user_id,
        "topic": Topic.CART_REMINDER.value,
        "opens": Topic.OPEN_TRACKING.value,
        "hashes": list(hashes),
        "event_id": event_id,
        "now": now,
        "since": now - CAP_TIME,
        "counted": _COUNTED,
    }
    return Standing(*rows(_STANDING, params)[0])


def is_suppressed(*, hashes: Collection[str], scope: Scope = Scope.CART_REMINDER) -> bool:
    """Tell whether an address gets no mails of this scope, by the hashes that `links.address_hashes` gives."""
    lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    scopes = [Scope.ALL.value, scope.value]
    return Suppression.objects.filter(lasting, email_hash__in=hashes, scope__in=scopes).exists()


def find_by_link(*, link_hash: str) -> Message | None:
    """Find the reminder that a link came with; None if there is none."""
    found = Message.objects.select_related("abandonment__campaign", "step__variant")
    return found.filter(link_hash=link_hash).first()


def wants_reminders(*, user_id: int, email: str) -> bool:
    """Tell whether a customer gets reminders, as far as it depends on them: no refusal, no suppressed address."""
    wish = list_wishes(user_ids=[user_id]).get(user_id)
    if wish is False or is_suppressed(hashes=links.address_hashes(email)):
        return False
    return has_basis(following.profile_of(user_id=user_id), wish=wish)


def offered_topics() -> tuple[Topic, ...]:
    """List what customers can choose in this shop."""
    return (Topic.CART_REMINDER, *_SAVED_TOPICS, *((Topic.OPEN_TRACKING,) if conf().count_opens else ()))


def find_wishes(*, user_id: int, email: str) -> Wishes:
    """Tell what a customer wants to be told, as far as it depends on them, and how."""
    wanted = set(wants_saved_news(user_id=user_id, email=email))
    if wants_reminders(user_id=user_id, email=email):
        wanted.add(Topic.CART_REMINDER)
    offered = offered_topics()
    if Topic.OPEN_TRACKING in offered and allows_opens(user_id=user_id):
        wanted.add(Topic.OPEN_TRACKING)
    contact = accounts.list_contacts(user_ids=[user_id]).get(user_id)
    return Wishes(
        offered=offered,
        wanted=frozenset(wanted),
        language=contact.language if contact else "",
        time_zone=contact.time_zone if contact else "",
    )


def allows_opens(*, user_id: int) -> bool:
    """Tell whether a customer has said that reminders may tell when they are opened."""
    return list_wishes(user_ids=[user_id], topic=Topic.OPEN_TRACKING).get(user_id, False)


def has_basis(profile: BuyerProfile, *, wish: bool | None) -> bool:
    """Tell whether the consent policy of the customer's country lets them be reminded."""
    return conf().policy_for(profile.country) == OPT_OUT or bool(wish) or profile.has_consented
