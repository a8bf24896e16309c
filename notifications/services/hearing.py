"""Hear what mail providers tell: write it down at once, then let addresses that bounced or complained rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from notifications import links, rules
from notifications.errors import LinkUnknownError
from notifications.models import HELD, MailEvent, Message
from notifications.services import consenting
from notifications.types import MailEventKind, MessageState, Scope

log = structlog.get_logger(__name__)

BATCH = 500
SOFT_BOUNCES, SOFT_TIME, SOFT_REST = 3, timedelta(days=7), timedelta(days=30)
"""So many mails that bounced for now, within so long, let their address rest for so long."""
_HARD = {MailEventKind.BOUNCED.value: "hard_bounce", MailEventKind.COMPLAINED.value: "complaint"}
_WENT = (
    MailEventKind.DELIVERED.value,
    MailEventKind.BOUNCED.value,
    MailEventKind.SOFT_BOUNCED.value,
    MailEventKind.COMPLAINED.value,
)
_WORDS = ("Type", "type", "bounceType", "bounce_type", "bounce_class", "severity", "bounce_classification")


@dataclass(frozen=True, slots=True)
class News:
    """What a provider told, in anymail's terms."""

    provider: str
    event_type: str
    event_id: str
    public_id: str
    """Of our message; empty if the provider does not say."""
    recipient: str
    reject_reason: str
    answer: str
    """What the mailbox's server said."""
    raw: Mapping[str, Any]
    at: datetime


def note_mail_event(*, news: News, now: datetime) -> bool:
    """Write down a piece of news, once however often it is told; False if nothing follows from it.

    Nothing else happens here: a provider repeats all of its news if it is kept waiting.
    """
    kind = rules.kind_of(
        event_type=news.event_type, reject_reason=news.reject_reason, answer=news.answer, words=_words(news.raw)
    )
    if kind is None or not news.recipient:
        return False
    email_hash = links.address_hashes(news.recipient)[0]
    identity = news.event_id or f"{news.public_id}:{news.at.isoformat()}"
    key = sha256(f"{news.provider} {news.event_type} {email_hash} {identity}".encode()).hexdigest()
    MailEvent.objects.bulk_create(
        [
            MailEvent(
                message=Message.objects.filter(public_id=news.public_id).first() if news.public_id else None,
                kind=kind.value,
                provider=news.provider[:20],
                email_hash=email_hash,
                at=news.at,
                received_at=now,
                dedupe_key=key,
            )
        ],
        ignore_conflicts=True,
    )
    return True


def note_mailed_opt_out(*, provider: str, recipients: Iterable[str], event_id: str, now: datetime) -> int:
    """Write down that somebody opts out by a mail to the address in theirs; give the number of reminders named.

    Who sent it is not asked: only the reader of that reminder knows the address. By its `event_id` a mail that is told
    twice is known from a second one.
    """
    hashes = {found for address in recipients if (found := links.read_mailbox(address)) is not None}
    messages = Message.objects.filter(link_hash__in=hashes) if hashes else ()
    events = [
        MailEvent(
            message=message,
            kind=MailEventKind.UNSUBSCRIBED.value,
            provider=provider[:20],
            email_hash=message.recipient_hash,
            at=now,
            received_at=now,
            dedupe_key=sha256(f"{provider} mailbox {message.link_hash} {event_id}".encode()).hexdigest(),
        )
        for message in messages
    ]
    MailEvent.objects.bulk_create(events, ignore_conflicts=True)
    return len(events)


def apply_mail_events(*, now: datetime) -> int:
    """Do what follows from news that was written down; give its number. Safe to repeat, in any order, and at once.

    Hard bounces and complaints suppress the address for everything of this kind; three mails within a week that
    bounced for now let it rest for thirty days. A message whose fate was unknown has been sent, once its mail arrived
    anywhere. News about a message that a worker holds waits until the worker is done.
    """
    done = 0
    with transaction.atomic():
        found = MailEvent.objects.filter(applied_at__isnull=True).exclude(message__state__in=HELD)
        for event in found.order_by("id").select_for_update(skip_locked=True, of=("self",))[:BATCH]:
            _apply(event, now)
            done += 1
            MailEvent.objects.filter(pk=event.pk).update(applied_at=now)
    return done


def _apply(event: MailEvent, now: datetime) -> None:
    source = f"provider:{event.provider}"
    if not event.email_hash:
        # It has been forgotten: the retention is over, or the customer is.
        if event.kind == MailEventKind.UNSUBSCRIBED.value and event.message is not None:
            with contextlib.suppress(LinkUnknownError):
                consenting.unsubscribe(message=event.message, now=now)
    elif event.kind in _HARD:
        consenting.suppress(
            email_hash=event.email_hash, scope=Scope.ALL, reason=_HARD[event.kind], source=source, now=now
        )
    elif event.kind == MailEventKind.UNSUBSCRIBED.value:
        consenting.suppress(
            email_hash=event.email_hash,
            scope=consenting.scope_of(event.message),
            reason=consenting.UNSUBSCRIBED,
            source=source,
            now=now,
        )
    elif event.kind == MailEventKind.SOFT_BOUNCED.value and _is_bouncing_on(event):
        consenting.suppress(
            email_hash=event.email_hash,
            scope=Scope.ALL,
            reason="soft_bounces",
            source=source,
            now=now,
            expires_at=event.at + SOFT_REST,
        )
    if event.kind in _WENT and event.message_id is not None:
        unknown = Message.objects.filter(pk=event.message_id, state=MessageState.UNKNOWN.value)
        if unknown.update(state=MessageState.SENT.value, reason="", sent_at=event.at):
            log.info("unknown_mail_settled", kind=event.kind)


def _is_bouncing_on(event: MailEvent) -> bool:
    """Tell whether this was the last straw: bounces of one mail, told several times, count once."""
    soft = MailEvent.objects.filter(
        Q(message__isnull=False),
        email_hash=event.email_hash,
        kind=MailEventKind.SOFT_BOUNCED.value,
        at__gt=event.at - SOFT_TIME,
        at__lte=event.at,
    )
    return soft.order_by().values("message").distinct().count() >= SOFT_BOUNCES


def _words(raw: Mapping[str, Any]) -> list[str]:
    """Collect what a provider may have called a bounce, at the top of its news or one level below."""
    parts = [raw, *(value for value in raw.values() if isinstance(value, Mapping))]
    return [value for part in parts for name in _WORDS if isinstance(value := part.get(name), str)]
