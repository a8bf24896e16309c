"""Send what is due: claimed by one worker, marked before it is handed over, settled by what the mail server said."""

from __future__ import annotations

import random
import smtplib
import uuid
from datetime import datetime, timedelta

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from notifications import rules
from notifications.conf import conf
from notifications.models import HELD, Message
from notifications.services import rendering
from notifications.types import Letter, MessageState
from shop.core.db import statement
from shop.core.privacy import mask

log = structlog.get_logger(__name__)

BATCH = 50

_CLAIM = """
WITH due AS MATERIALIZED (
       SELECT id FROM notifications_message
        WHERE state IN ('due', 'unknown') AND due_at <= %(now)s
        ORDER BY due_at, id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE notifications_message m
   SET state = 'claimed', claim_token = %(token)s, attempts = m.attempts + 1,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM due WHERE m.id = due.id RETURNING m.id
"""

# What a dead worker claimed is due; what it was sending may have gone out: an order mail goes again under its old id.
_TAKE_BACK = """
UPDATE notifications_message m
   SET state = CASE WHEN m.state = 'claimed' THEN 'due' ELSE 'unknown' END, reason = 'worker_lost',
       claim_token = NULL, lease_until = NULL
 WHERE m.id IN (SELECT id FROM notifications_message
                 WHERE state IN ('claimed', 'sending') AND lease_until < clock_timestamp()
                 ORDER BY id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
RETURNING m.id
"""


def dispatch_messages(*, now: datetime) -> int:
    """Send the messages that are due, at most 50; give the number of those that the mail server took.

    Each is claimed by one worker (`SKIP LOCKED`, a lease, a token), and committed as `sending` before the mail server
    is asked. A refusal for good fails it, one for now or a lost answer puts it off (1, 5, 15, 60 min, five tries in
    all); a server that is not there puts off the whole batch and counts as no try. An order mail thus goes at least
    once, and a second time only under the same Message-ID.
    """
    statement(_TAKE_BACK, {"batch": BATCH})
    token = uuid.uuid4()
    claimed = statement(_CLAIM, {"now": now, "batch": BATCH, "token": token, "lease": conf().lease_seconds})
    if not claimed:
        return 0
    connection = get_connection()
    sent = 0
    try:
        for message in Message.objects.filter(pk__in=[row[0] for row in claimed]).order_by("due_at", "id"):
            outcome = _send(message, token, connection, now)
            if outcome is None:
                _put_off_rest(token, now)
                break
            sent += outcome
    finally:
        _close(connection)
    return sent


def resend(*, message_id: int, now: datetime) -> bool:
    """Make a failed or cancelled message due again, at the wish of staff; False if it is neither."""
    ended = Message.objects.filter(pk=message_id, state__in=[MessageState.FAILED.value, MessageState.CANCELLED.value])
    return bool(ended.update(state=MessageState.DUE.value, due_at=now, attempts=0, reason=""))


def _send(message: Message, token: uuid.UUID, connection: BaseEmailBackend, now: datetime) -> bool | None:
    """Send one claimed message; tell whether it went, None if the mail server is not there."""
    try:
        letter = rendering.letter(message, now=now)
        envelope = rendering.mail(letter, public_id=message.public_id, connection=connection)
    except Exception:  # one bad row holds up no other: it is parked with its reason
        log.exception("mail_not_rendered", message=message.public_id)
        _move(message, token, MessageState.FAILED, reason="render", now=now)
        return False
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail_server_not_there", error=type(error).__name__)
        return None
    if not _mark_sending(message, token, letter, now):
        return False  # the lease was over and another worker has it
    return _hand_over(message, token, envelope, connection, now)


def _mark_sending(message: Message, token: uuid.UUID, letter: Letter, now: datetime) -> bool:
    """Commit that the mail may go out from here on, with a fresh lease."""
    mine = Message.objects.filter(pk=message.pk, state=MessageState.CLAIMED.value, claim_token=token)
    return bool(
        mine.update(
            state=MessageState.SENDING.value,
            handed_at=now,
            recipient=mask(letter.recipient),
            lease_until=now + timedelta(seconds=conf().lease_seconds),
        )
    )


def _hand_over(
    message: Message, token: uuid.UUID, envelope: EmailMultiAlternatives, connection: BaseEmailBackend, now: datetime
) -> bool | None:
    try:
        envelope.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return _refused(message, token, code, text, now)
    except smtplib.SMTPResponseException as error:
        return _refused(message, token, error.smtp_code, error.smtp_error, now)
    except (OSError, smtplib.SMTPException) as error:
        # The connection broke after the message began: it may have been taken.
        _close(connection)
        _later(message, token, MessageState.UNKNOWN, type(error).__name__, now)
        return False
    _move(message, token, MessageState.SENT, reason="", now=now)
    return True


def _refused(message: Message, token: uuid.UUID, code: int, text: bytes | str, now: datetime) -> bool | None:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    reason = f"{code} {' '.join(said.split())}"[:200]
    match rules.verdict(code):
        case rules.Verdict.FAILED:
            log.warning("mail_refused", message=message.public_id, code=code)
            _move(message, token, MessageState.FAILED, reason=reason, now=now)
            return False
        case rules.Verdict.OFFLINE:
            return None
        case rules.Verdict.LATER:
            _later(message, token, MessageState.DUE, reason, now)
            return False


def _later(message: Message, token: uuid.UUID, state: MessageState, reason: str, now: datetime) -> None:
    if message.attempts >= rules.MOST_ATTEMPTS:
        log.error("mail_given_up", message=message.public_id, reason=reason)
        _move(message, token, MessageState.FAILED, reason=reason, now=now)
        return
    pause = rules.retry_seconds(message.attempts, random.random())  # noqa: S311 - spreads load, keeps no secret
    mine = Message.objects.filter(pk=message.pk, claim_token=token, state__in=HELD)
    mine.update(
        state=state.value, reason=reason, due_at=now + timedelta(seconds=pause), claim_token=None, lease_until=None
    )


def _move(message: Message, token: uuid.UUID, state: MessageState, *, reason: str, now: datetime) -> None:
    """End a message that is still ours; where another worker owns it, nothing is written."""
    mine = Message.objects.filter(pk=message.pk, claim_token=token, state__in=HELD)
    times = {"sent_at": now} if state is MessageState.SENT else {}
    mine.update(state=state.value, reason=reason, claim_token=None, lease_until=None, **times)


def _put_off_rest(token: uuid.UUID, now: datetime) -> None:
    """Give back what this worker still holds: the mail server is not there, nothing was handed over."""
    for message in Message.objects.filter(claim_token=token, state__in=HELD):
        pause = rules.offline_seconds(message.deferrals, random.random())  # noqa: S311 - spreads load, keeps no secret
        Message.objects.filter(pk=message.pk, claim_token=token).update(
            state=MessageState.DUE.value,
            reason="server_not_there",
            due_at=now + timedelta(seconds=pause),
            attempts=message.attempts - 1,
            deferrals=message.deferrals + 1,
            claim_token=None,
            lease_until=None,
        )


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, smtplib.SMTPException):
        log.warning("mail_connection_not_closed")
