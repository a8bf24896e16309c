"""Claim messages, hand their mails over, write down what the mail server said; each write is guarded by the token."""

from __future__ import annotations

import random
import re
import smtplib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from anymail.exceptions import AnymailError, AnymailRequestsAPIError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from notifications import links, rules
from notifications.conf import conf
from notifications.models import HELD, Message
from notifications.services import consenting, limiting
from notifications.types import MessageKind, MessageState, Scope
from shop.core.db import statement

log = structlog.get_logger(__name__)

BATCH = 50
TOO_MANY = 429
_DEAD_MAILBOX = re.compile(r"^5\d\d[ -]5\.1\.[0-9]", re.ASCII)

_CLAIM = """
WITH due AS MATERIALIZED (
       SELECT id FROM notifications_message
        WHERE kind = %(kind)s AND (state = 'due' OR (state = 'unknown' AND kind = 'order')) AND due_at <= %(now)s
        ORDER BY due_at, id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE notifications_message m
   SET state = 'claimed', claim_token = %(token)s, attempts = m.attempts + 1,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM due WHERE m.id = due.id RETURNING m.id
"""

# What a dead worker claimed is due; what it was sending may have gone out: an order mail goes again under its old id, a
# reminder never does.
_TAKE_BACK = """
UPDATE notifications_message m
   SET state = CASE WHEN m.state = 'claimed' THEN 'due' ELSE 'unknown' END, reason = 'worker_lost',
       claim_token = NULL, lease_until = NULL
 WHERE m.id IN (SELECT id FROM notifications_message
                 WHERE state IN ('claimed', 'sending') AND lease_until < clock_timestamp()
                 ORDER BY id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
RETURNING m.id
"""

_MOVE = """
UPDATE notifications_message
   SET state = %(state)s, reason = %(reason)s, claim_token = NULL, lease_until = NULL,
       sent_at = coalesce(%(sent_at)s::timestamptz, sent_at)
 WHERE id = %(id)s AND claim_token = %(token)s AND state = ANY(%(held)s::text[])
RETURNING id
"""


def take_back() -> None:
    """Take back what dead workers hold."""
    statement(_TAKE_BACK, {"batch": BATCH})


def claim(*, kind: MessageKind, token: uuid.UUID, now: datetime, limit: int = BATCH) -> Sequence[Message]:
    """Claim at most `limit` due messages of one kind for this worker; the oldest come first."""
    claimed = claim_ids(kind=kind, token=token, now=now, limit=limit)
    if not claimed:
        return []
    found = Message.objects.select_related("step__variant__campaign", "abandonment").filter(pk__in=claimed)
    return list(found.order_by("due_at", "id"))


def claim_ids(*, kind: MessageKind, token: uuid.UUID, now: datetime, limit: int = BATCH) -> tuple[int, ...]:
    """Claim as `claim` does; give the ids only (one statement)."""
    params = {"now": now, "batch": limit, "token": token, "lease": conf().lease_seconds, "kind": kind.value}
    return tuple(row[0] for row in statement(_CLAIM, params))


def hand_over(
    message: Message, token: uuid.UUID, envelope: EmailMultiAlternatives, connection: BaseEmailBackend, now: datetime
) -> bool | None:
    """Give a mail to the mail server and settle its message; tell whether it went, None if the server is not there."""
    try:
        envelope.send()
    except AnymailError as error:  # before OSError: it is one, too
        return _api_said(message, token, error, links.domain_of(envelope.to[0]), now)
    except smtplib.SMTPRecipientsRefused as error:
        ((address, (code, text)),) = error.recipients.items()
        return _smtp_said(message, token, code, text, links.domain_of(address), connection, now, is_of_recipient=True)
    except smtplib.SMTPResponseException as error:
        domain = links.domain_of(envelope.to[0])
        return _smtp_said(message, token, error.smtp_code, error.smtp_error, domain, connection, now)
    except (OSError, smtplib.SMTPException) as error:
        # The connection broke after the message began: it may have been taken.
        close(connection)
        _lost(message, token, type(error).__name__, now)
        return False
    move(message, token, MessageState.SENT, reason="", now=now)
    return True


def _smtp_said(
    message: Message,
    token: uuid.UUID,
    code: int,
    text: bytes | str,
    domain: str,
    connection: BaseEmailBackend,
    now: datetime,
    *,
    is_of_recipient: bool = False,
) -> bool | None:
    said = " ".join((text.decode(errors="replace") if isinstance(text, bytes) else text).split())
    reason = f"{code} {said}"[:200]
    if rules.slows_domain(code, said, domain=domain, is_of_recipient=is_of_recipient):
        limiting.slow_down(domain=domain)
        close(connection)  # with 421 the server hangs up, and what goes elsewhere goes on
        _put_off(message, token, reason, now)
        return False
    match rules.verdict(code):
        case rules.Verdict.FAILED:
            log.warning("mail_refused", message=message.public_id, code=code)
            move(message, token, MessageState.FAILED, reason=reason, now=now)
            if message.recipient_hash and _DEAD_MAILBOX.match(reason):
                consenting.suppress(
                    email_hash=message.recipient_hash, scope=Scope.ALL, reason="dead_mailbox", source="smtp", now=now
                )
            return False
        case rules.Verdict.OFFLINE:
            limiting.slow_down()
            return None
        case _:
            _later(message, token, MessageState.DUE, reason, now)
            return False


def _api_said(message: Message, token: uuid.UUID, error: AnymailError, domain: str, now: datetime) -> bool | None:
    """Settle a message by what a provider's API answered; its own words may hold the address, and are not kept."""
    status, name = error.status_code, type(error).__name__
    if isinstance(error, AnymailRequestsAPIError) and status is None:
        if _never_left(error):
            return None
        _lost(message, token, name, now)
        return False
    verdict = rules.api_verdict(status) if status else rules.Verdict.FAILED
    reason = f"{status} {name}" if status else name
    log.warning("mail_refused", message=message.public_id, code=status)
    if status == TOO_MANY and rules.names_domain(str(error), domain):
        limiting.slow_down(domain=domain)
        _put_off(message, token, reason, now)
        return False
    if verdict is rules.Verdict.OFFLINE:
        if status == TOO_MANY:
            limiting.slow_down()
        return None
    if verdict is rules.Verdict.LOST:
        _lost(message, token, reason, now)
    else:
        move(message, token, MessageState.FAILED, reason=reason, now=now)
    return False


def _never_left(error: BaseException) -> bool:
    """Tell whether there was no connection to the provider at all: then nothing was handed over."""
    cause = error.__cause__
    inner = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
    return isinstance(inner, (NewConnectionError, ConnectTimeoutError))


def _lost(message: Message, token: uuid.UUID, reason: str, now: datetime) -> None:
    """Write that nobody knows whether a mail was taken: an order mail goes again, no other one does by itself."""
    if message.kind != MessageKind.ORDER.value:
        move(message, token, MessageState.UNKNOWN, reason=reason, now=now)
    else:
        _later(message, token, MessageState.UNKNOWN, reason, now)


def _later(message: Message, token: uuid.UUID, state: MessageState, reason: str, now: datetime) -> None:
    if message.attempts >= rules.MOST_ATTEMPTS:
        log.error("mail_given_up", message=message.public_id, reason=reason)
        move(message, token, MessageState.FAILED, reason=reason, now=now)
        return
    pause = rules.retry_seconds(message.attempts, random.random())  # noqa: S311 - spreads load, keeps no secret
    mine = Message.objects.filter(pk=message.pk, claim_token=token, state__in=HELD)
    mine.update(
        state=state.value, reason=reason, due_at=now + timedelta(seconds=pause), claim_token=None, lease_until=None
    )


def move(message: Message, token: uuid.UUID, state: MessageState, *, reason: str, now: datetime) -> None:
    """End a message that is still ours; where another worker owns it, nothing is written."""
    about = {"id": message.pk, "token": token, "held": list(HELD), "state": state.value, "reason": reason}
    statement(_MOVE, {**about, "sent_at": now if state is MessageState.SENT else None}, keeps_plan=True)


def put_off_rest(token: uuid.UUID, now: datetime) -> None:
    """Give back what this worker still holds: the mail server is not there, nothing was handed over."""
    for message in Message.objects.filter(claim_token=token, state__in=HELD):
        _put_off(message, token, "server_not_there", now)


def _put_off(message: Message, token: uuid.UUID, reason: str, now: datetime) -> None:
    """Make a message due again that was not taken; that counts as no try."""
    pause = rules.offline_seconds(message.deferrals, random.random())  # noqa: S311 - spreads load, keeps no secret
    Message.objects.filter(pk=message.pk, claim_token=token, state__in=HELD).update(
        state=MessageState.DUE.value,
        reason=reason,
        due_at=now + timedelta(seconds=pause),
        attempts=max(0, message.attempts - 1),
        deferrals=message.deferrals + 1,
        claim_token=None,
        lease_until=None,
    )


def close(connection: BaseEmailBackend) -> None:
    """Close a connection, whatever state it is in."""
    try:
        connection.close()
    except (OSError, smtplib.SMTPException):
        log.warning("mail_connection_not_closed")
