"""Send what is due: claimed by one worker, marked before it is handed over, settled by what the mail server said."""

from __future__ import annotations

import smtplib
import uuid
from datetime import datetime, timedelta

import structlog
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q

from notifications.conf import conf
from notifications.models import Message
from notifications.services import handing, rendering
from notifications.services.forgetting import ERASED
from notifications.types import EventState, Letter, MessageKind, MessageState
from shop.core.privacy import mask

log = structlog.get_logger(__name__)


def dispatch_messages(*, now: datetime) -> int:
    """Send the order mails that are due, at most 50; give the number of those that the mail server took.

    Each is claimed by one worker (`SKIP LOCKED`, a lease, a token), and committed as `sending` before the mail server
    is asked. A refusal for good fails it, one for now or a lost answer puts it off (1, 5, 15, 60 min, five tries in
    all); a server that is not there puts off the whole batch and counts as no try. An order mail thus goes at least
    once, and a second time only under the same Message-ID.
    """
    handing.take_back()
    token = uuid.uuid4()
    claimed = handing.claim(kind=MessageKind.ORDER, token=token, now=now)
    if not claimed:
        return 0
    connection = get_connection()
    sent = 0
    try:
        for message in claimed:
            outcome = _send(message, token, connection, now)
            if outcome is None:
                handing.put_off_rest(token, now)
                break
            sent += outcome
    finally:
        handing.close(connection)
    return sent


def resend(*, message_id: int, now: datetime) -> bool:
    """Make a message due again, at the wish of staff; False if that is not possible.

    Order mails: failed or cancelled ones. Reminders: those whose fate is unknown, or that failed, while their event is
    open; they pass all gates again, under their old id.
    """
    order = Q(kind=MessageKind.ORDER.value, state__in=[MessageState.FAILED.value, MessageState.CANCELLED.value])
    reminder = Q(
        kind=MessageKind.RECOVERY.value,
        state__in=[MessageState.FAILED.value, MessageState.UNKNOWN.value],
        abandonment__state=EventState.OPEN.value,
    )
    ended = Message.objects.filter(order | reminder, pk=message_id)
    return bool(ended.update(state=MessageState.DUE.value, due_at=now, attempts=0, reason=""))


def _send(message: Message, token: uuid.UUID, connection: BaseEmailBackend, now: datetime) -> bool | None:
    """Send one claimed message; tell whether it went, None if the mail server is not there."""
    try:
        letter = rendering.letter(message, now=now)
        if not letter.recipient:  # the buyer was forgotten meanwhile
            handing.move(message, token, MessageState.CANCELLED, reason=ERASED, now=now)
            return False
        envelope = rendering.mail(letter, public_id=message.public_id, connection=connection)
    except Exception:  # one bad row holds up no other: it is parked with its reason
        log.exception("mail_not_rendered", message=message.public_id)
        handing.move(message, token, MessageState.FAILED, reason="render", now=now)
        return False
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail_server_not_there", error=type(error).__name__)
        return None
    if not _mark_sending(message, token, letter, now):
        return False  # the lease was over and another worker has it
    return handing.hand_over(message, token, envelope, connection, now)


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
