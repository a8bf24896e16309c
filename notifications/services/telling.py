"""Send news of saved items: claimed like reminders, looked at again when their turn comes, and never twice."""

from __future__ import annotations

import smtplib
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day

import structlog
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models.functions import Now

from cart import selectors as carts
from notifications import links, rules, selectors
from notifications.conf import conf
from notifications.models import Message, SavedNews
from notifications.rules import Facts, Outcome
from notifications.services import handing, holding, limiting, rendering, saved_mail
from notifications.services.detecting import is_behind
from notifications.services.forgetting import ERASED
from notifications.services.holding import Queue
from notifications.services.limiting import Pace
from notifications.services.saved_news import offers_of, still_news
from notifications.types import MessageKind, MessageState, SavedItem, Scope, Topic
from shop.accounts import selectors as accounts
from shop.accounts.selectors import Contact
from shop.checkout import following
from shop.core.privacy import mask

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 20
_UNTOLD = ("late", "nothing_sellable")
"""What was not told for these reasons may be news again; whom a mail must not reach is not tried again for it."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of one message when its turn comes."""

    facts: Facts
    items: tuple[SavedItem, ...]
    email: str
    language: str


def send_saved_news(*, now: datetime) -> int:
    """Send what is due, as fast as is allowed; give the number of mails that the mail server took.

    Whether it is still wanted and still true is asked when its turn comes, in the transaction that commits it as
    `sending`. A lost answer leaves it `unknown` for ever: news go at most once.
    """
    due = Message.objects.filter(kind=MessageKind.SAVED.value, state=MessageState.DUE.value, due_at__lte=now)
    if not due.exists() or is_behind():
        return 0
    handing.take_back()
    ends, sent, line = time.monotonic() + BUDGET_SECONDS, 0, Queue()
    server = get_connection()
    try:
        while time.monotonic() < ends and (waiting := due[: handing.BATCH].count()):
            tokens, token = limiting.take(wanted=waiting), uuid.uuid4()
            claimed = handing.claim(kind=MessageKind.SAVED, token=token, now=now, limit=tokens) if tokens else ()
            went = _send_all(claimed, token, server, line, now)
            if went is None or not claimed:
                break
            sent += went
    finally:
        handing.close(server)
    return sent


def _send_all(
    claimed: Sequence[Message], token: uuid.UUID, server: BaseEmailBackend, line: Queue, now: datetime
) -> int | None:
    sent, before = 0, line.waiting.total()
    for message in claimed:
        outcome = _send(message, token, server, line, now)
        if outcome is None:
            handing.put_off_rest(token, now)
            return None
        sent += outcome
    limiting.give_back(unused=line.waiting.total() - before)
    return sent


def _send(message: Message, token: uuid.UUID, server: BaseEmailBackend, line: Queue, now: datetime) -> bool | None:
    """Send one claimed message; tell whether it went, None if the mail server is not there."""
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail_server_not_there", error=type(error).__name__)
        return None
    case = _pass_gates(message, token, line, now)
    if case is None:
        return False
    try:
        letter = saved_mail.letter(
            public_id=message.public_id, items=case.items, recipient=case.email, language=case.language
        )
        envelope = rendering.mail(letter, public_id=message.public_id, connection=server)
    except Exception:  # one bad row holds up no other: it is parked with its reason
        log.exception("mail_not_rendered", message=message.public_id)
        handing.move(message, token, MessageState.FAILED, reason="render", now=now)
        return False
    return handing.hand_over(message, token, envelope, server, now)


@transaction.atomic
def _pass_gates(message: Message, token: uuid.UUID, line: Queue, now: datetime) -> _Case | None:
    """Judge a message and write down what follows; give what its mail needs if it may go."""
    told = list(SavedNews.objects.filter(message=message).order_by("id"))
    if not told:
        handing.move(message, token, MessageState.CANCELLED, reason=ERASED, now=now)
        return None
    case = _gather(message, told, now)
    said = rules.evaluate(case.facts)
    if said.outcome is Outcome.MOVE and case.facts.loud_at:
        until = case.facts.loud_at
        holding.wait(message, token, said.reason, due_at=until, late_by=until - now)
        return None
    if said.outcome is not Outcome.PASS:
        handing.move(message, token, MessageState.CANCELLED, reason=said.reason, now=now)
        if said.reason in _UNTOLD:
            SavedNews.objects.filter(message=message, message__state=MessageState.CANCELLED.value).delete()
        return None
    # The last gate, as for reminders: asking it takes what it allows.
    domain = links.domain_of(case.email)
    pace = limiting.take_of_domain(domain=domain)
    if pace is not Pace.GO:
        holding.queue(message, token, pace, domain, line, now)
        return None
    message.recipient_hash = links.address_hashes(case.email)[0]
    mine = Message.objects.filter(pk=message.pk, state=MessageState.CLAIMED.value, claim_token=token)
    went = mine.update(
        state=MessageState.SENDING.value,
        reason="",
        handed_at=now,
        recipient=mask(case.email),
        recipient_hash=message.recipient_hash,
        link_hash=links.link_hash(links.new_link(message.public_id)),
        shown={"items": [_kept(item) for item in case.items]},
        lease_until=Now() + timedelta(seconds=conf().lease_seconds),
    )
    return case if went else None


def _gather(message: Message, told: Sequence[SavedNews], now: datetime) -> _Case:
    user_id = told[0].user_id
    contact = accounts.find_contact(user_id=user_id)
    email = contact.email if contact else ""
    topics = selectors.saved_news_of(user_id=user_id)
    saved = carts.list_recorded_saved(user_ids=[user_id]).get(user_id, ())
    items = still_news(
        [row for row in told if Topic(row.topic) in topics],
        saved={line.sku_id: line for line in saved},
        offers=offers_of(user_id, saved, now=now),
    )
    profile = following.profile_of(user_id=user_id)
    facts = Facts(
        now=now,
        late_after=message.late_after,
        is_active=contact is not None and contact.is_active,
        has_address=bool(email),
        is_verified=contact is not None and contact.is_verified,
        is_suppressed=bool(email)
        and selectors.is_suppressed(hashes=links.address_hashes(email), scope=Scope.SAVED_NEWS),
        is_opted_out=not topics,
        loud_at=_loud_at(contact, profile.country, now),
        sellable_lines=len(items),
    )
    language = contact.language if contact and contact.language else profile.language
    return _Case(facts=facts, items=items, email=email, language=language)


def _loud_at(contact: Contact | None, country: str, now: datetime) -> datetime:
    """Tell when it is no night where the customer is, by the hours with which new campaigns begin."""
    start, end = (time_of_day.fromisoformat(text) for text in (conf().quiet_start, conf().quiet_end))
    return rules.next_loud_moment_in_all(
        now,
        start=start,
        end=end,
        zones=(contact.time_zone,) if contact and contact.time_zone else rules.zones_of(country),
        otherwise=conf().default_time_zone,
    )


def _kept(item: SavedItem) -> dict[str, object]:
    return {
        "sku_id": item.card.sku_id,
        "price_minor": item.price.minor,
        "was_minor": item.was.minor if item.was else None,
        "currency": item.price.currency,
        "is_back": item.is_back,
    }
