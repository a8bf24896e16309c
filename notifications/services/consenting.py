"""Say no to mails, and yes again: suppressions of addresses, and what customers want."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction
from django.db.models import Q

from notifications import links, selectors
from notifications.errors import LinkUnknownError
from notifications.models import Message, Preference, Suppression
from notifications.types import MessageKind, Scope, Topic
from shop.accounts import services as accounts

UNDO_TIME = timedelta(hours=1)
WORDING = "2026-11"
"""The version of the sentences on the preferences page; raise it with their meaning."""
UNSUBSCRIBED = "unsubscribed"
_SALT = "notifications.undo"
_SCOPES = {
    Topic.CART_REMINDER: Scope.CART_REMINDER,
    Topic.PRICE_DROP: Scope.SAVED_NEWS,
    Topic.BACK_IN_STOCK: Scope.SAVED_NEWS,
}
"""What an unsubscription had ended, a later yes of the customer begins again."""


def scope_of(message: Message | None) -> Scope:
    """Tell what an unsubscription by this message is about: reminders, or news of saved items."""
    is_saved = message is not None and message.kind == MessageKind.SAVED.value
    return Scope.SAVED_NEWS if is_saved else Scope.CART_REMINDER


def suppress(
    *, email_hash: str, scope: Scope, reason: str, source: str, now: datetime, expires_at: datetime | None = None
) -> bool:
    """Let an address get no mails of this scope, for good or until `expires_at`; False if it got none before.

    What is there for a time gives way to what lasts longer.
    """
    values = {"reason": reason, "source": source, "created_at": now, "expires_at": expires_at}
    _, is_new = Suppression.objects.get_or_create(email_hash=email_hash, scope=scope.value, defaults=values)
    if is_new:
        return True
    shorter = Q(expires_at__isnull=False) if expires_at is None else Q(expires_at__lt=expires_at)
    return bool(Suppression.objects.filter(shorter, email_hash=email_hash, scope=scope.value).update(**values))


def unsubscribe(*, message: Message, now: datetime) -> str:
    """Let the address that got this message get no more of its kind; give what `undo_unsubscribe` takes, or nothing.

    Nothing: it got none before. It covers the address, with all later carts or saved items. Safe to repeat. Of a
    reminder so old that its address has been forgotten the customer is taken at their word instead.

    :raises LinkUnknownError: if neither address nor customer is known any more.
    """
    source = f"link:{message.public_id}"
    if not message.recipient_hash:
        owner = message.abandonment.user_id if message.abandonment else None
        if owner is None:
            raise LinkUnknownError
        if selectors.list_wishes(user_ids=[owner]).get(owner) is not False:
            _state(user_id=owner, topic=Topic.CART_REMINDER, is_granted=False, source=source, now=now)
        return ""
    is_new = suppress(
        email_hash=message.recipient_hash, scope=scope_of(message), reason=UNSUBSCRIBED, source=source, now=now
    )
    return signing.dumps(message.public_id, salt=_SALT) if is_new else ""


def undo_unsubscribe(*, message: Message, undo: str) -> bool:
    """Take back what this message's link did within the last hour; False if there is nothing of it to take back."""
    try:
        if signing.loads(undo, salt=_SALT, max_age=UNDO_TIME) != message.public_id:
            return False
    except signing.BadSignature:
        return False
    gone, _ = Suppression.objects.filter(
        email_hash=message.recipient_hash, scope=scope_of(message).value, source=f"link:{message.public_id}"
    ).delete()
    return bool(gone)


def allow_opens(*, user_id: int, is_granted: bool, source: str, now: datetime) -> None:
    """Write down whether a customer lets reminders tell when they are opened."""
    _state(user_id=user_id, topic=Topic.OPEN_TRACKING, is_granted=is_granted, source=source, now=now)


def save_wishes(
    *,
    user_id: int,
    email: str,
    topics: Mapping[Topic, bool],
    source: str,
    now: datetime,
    language: str | None = None,
    time_zone: str | None = None,
) -> None:
    """Write down what a customer, signed in, wants to be told, and how: all of it or nothing.

    Topics that are absent, and a language or time zone of None, stay as they are. What is said again is no new
    statement, but of reminders: there silence may have been enough, and a yes is more.

    :raises ValueError: if the shop does not offer a topic.
    """
    with transaction.atomic():
        before = selectors.find_wishes(user_id=user_id, email=email)
        if not topics.keys() <= set(before.offered):
            msg = "a topic that this shop does not offer"
            raise ValueError(msg)
        for topic, is_granted in topics.items():
            if is_granted is (topic in before.wanted) and topic is not Topic.CART_REMINDER:
                continue
            if topic is Topic.OPEN_TRACKING:
                allow_opens(user_id=user_id, is_granted=is_granted, source=source, now=now)
            else:
                set_preference(user_id=user_id, email=email, is_granted=is_granted, source=source, now=now, topic=topic)
        if language is not None:
            accounts.choose_language(user_id=user_id, code=language)
        if time_zone is not None:
            accounts.learn_time_zone(user_id=user_id, name=time_zone)


def set_preference(
    *, user_id: int, email: str, is_granted: bool, source: str, now: datetime, topic: Topic = Topic.CART_REMINDER
) -> None:
    """Write down whether a customer wants mails of a topic.

    A yes of the customer, signed in, also ends what an unsubscription from this address had suppressed; a dead mailbox
    stays suppressed.
    """
    with transaction.atomic():
        _state(user_id=user_id, topic=topic, is_granted=is_granted, source=source, now=now)
        if is_granted:
            Suppression.objects.filter(
                email_hash__in=links.address_hashes(email), scope=_SCOPES[topic].value, reason=UNSUBSCRIBED
            ).delete()


def note_consent(*, user_id: int, source: str, now: datetime) -> None:
    """Write down that somebody who is new wants to be reminded.

    Their address is only what they typed: what its owner had ended by a link stays ended.
    """
    _state(user_id=user_id, topic=Topic.CART_REMINDER, is_granted=True, source=source, now=now)


def _state(*, user_id: int, topic: Topic, is_granted: bool, source: str, now: datetime) -> None:
    Preference.objects.create(
        user_id=user_id,
        topic=topic.value,
        is_granted=is_granted,
        wording=WORDING,
        source=source[:40],
        collected_at=now,
    )
