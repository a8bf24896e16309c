"""Send reminders: claimed like order mails, judged once more under the cart's lock, and never twice."""

from __future__ import annotations

import json
import smtplib
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import IntegrityError, OperationalError, connection, transaction

from cart import idle
from cart.idle import RecordedCart
from notifications import links, rules
from notifications.conf import conf
from notifications.models import Abandonment, Campaign, Message
from notifications.rules import Outcome
from notifications.services import granting, handing, holding, judging, limiting, reminders
from notifications.services.detecting import is_behind
from notifications.services.granting import Offered
from notifications.services.holding import Queue
from notifications.services.judging import Around, Case
from notifications.services.limiting import Pace
from notifications.types import MessageKind, MessageState
from shop.core.db import (
    DEADLOCK_DETECTED,
    EXCLUSION_VIOLATION,
    LOCK_NOT_AVAILABLE,
    columns_of,
    instance_of,
    prepared,
    sqlstate,
)
from shop.core.privacy import mask

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 30
"""One wake-up sends for so long at most; the next one goes on."""
MARGIN = timedelta(minutes=1)
"""A mail is begun only while so much of the lease is left."""
LOOK = 10
"""Of so many customers at once is read what needs no lock: it is soon looked at, even if the mail server is slow."""

# The event before the message, as everywhere.
_HELD = f"""
SELECT {columns_of(Abandonment, "e")}, {columns_of(Campaign, "c")}
  FROM notifications_message m
  JOIN notifications_abandonment e ON e.id = m.abandonment_id
  JOIN notifications_campaign c ON c.id = e.campaign_id
 WHERE m.id = %(id)s AND m.state = 'claimed' AND m.claim_token = %(token)s
   AND m.lease_until > statement_timestamp() + %(margin)s
   FOR NO KEY UPDATE OF e, m
"""  # noqa: S608 - put together from constants
_OF_EVENT = len(Abandonment._meta.concrete_fields)  # noqa: SLF001 - documented

# The first mail or ghost takes the customer's cool-down, which the exclusion may refuse, and keeps the cart as it is.
_KEEP = """
WITH e AS (
       UPDATE notifications_abandonment
          SET cooldown_range = CASE WHEN %(takes)s AND cooldown_range IS NULL
                                    THEN tstzrange(%(begin)s, %(end)s) ELSE cooldown_range END,
              snapshot = coalesce(snapshot, %(snapshot)s::jsonb)
        WHERE id = %(event)s)
UPDATE notifications_message SET reason = '', """
_OURS = """
 WHERE id = %(id)s AND state = 'claimed' AND claim_token = %(token)s
RETURNING id
"""
_GHOST = f"{_KEEP} state = 'ghost', claim_token = NULL, lease_until = NULL {_OURS}"
_SENDING = f"""{_KEEP} state = 'sending', handed_at = %(now)s, recipient = %(recipient)s,
       recipient_hash = %(recipient_hash)s, link_hash = %(link_hash)s, shown = %(shown)s::jsonb,
       lease_until = statement_timestamp() + make_interval(secs => %(lease)s) {_OURS}"""


@dataclass(frozen=True, slots=True)
class _Passed:
    """A message that may go: committed as `sending`."""

    case: Case
    around: Around
    offer: Offered | None = None
    """The discount code that goes with it."""


def send_reminders(*, now: datetime) -> int:
    """Send the reminders that are due, as fast as is allowed; give the number of those that the mail server took.

    Each is judged again while its cart's record is locked, so that an order, an edit or an opt-out that came before
    is seen, then committed as `sending` (the hold-out's as `ghost`) before the mail server is asked. A lost answer
    leaves it `unknown` for ever: a reminder goes at most once.
    """
    if is_behind():
        log.warning("reminders_wait_for_the_recorder")
        return 0
    handing.take_back()
    ends, sent = time.monotonic() + min(BUDGET_SECONDS, conf().lease_seconds / 3), 0
    line = Queue()
    server = get_connection()
    try:
        while time.monotonic() < ends and (waiting := _count_due(now)):
            tokens = limiting.take(wanted=waiting)
            went = _send_batch(server, tokens, line, now) if tokens else None
            if went is None:
                break
            sent += went
    finally:
        handing.close(server)
    return sent


def _count_due(now: datetime) -> int:
    """Count what waits, up to a batch: no more tokens are taken than there are messages for."""
    due = Message.objects.filter(kind=MessageKind.RECOVERY.value, state=MessageState.DUE.value, due_at__lte=now)
    return due[: handing.BATCH].count()


def _send_batch(server: BaseEmailBackend, limit: int, line: Queue, now: datetime) -> int | None:
    """Claim and send so many at most; tell how many went, None if nothing is left or the mail server is not there.

    The tokens of those that have to wait in `line`, for their domain or the next day, go to others.
    """
    token, sent, before = uuid.uuid4(), 0, line.waiting.total()
    line.full.clear()
    claimed = handing.claim(kind=MessageKind.RECOVERY, token=token, now=now, limit=limit)
    for begin in range(0, len(claimed), LOOK):
        some = claimed[begin : begin + LOOK]
        theirs = {message.abandonment.user_id for message in some if message.abandonment}
        around = judging.look_around(user_ids=sorted(one for one in theirs if one is not None), now=now)
        for message in some:
            outcome = _send(message, token, around, server, line, now)
            if outcome is None:
                handing.put_off_rest(token, now)
                return None
            sent += outcome
    limiting.give_back(unused=line.waiting.total() - before)
    return sent if claimed else None


def _send(
    message: Message,
    token: uuid.UUID,
    around: Mapping[int, Around],
    server: BaseEmailBackend,
    line: Queue,
    now: datetime,
) -> bool | None:
    """Send one claimed reminder; tell whether it went, None if the mail server is not there."""
    try:
        server.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail_server_not_there", error=type(error).__name__)
        return None
    try:
        passed = _pass_gates(message, token, around, line, now)
    except OperationalError as error:
        if sqlstate(error) not in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED):
            raise
        # Somebody keeps the cart's record locked, such as an order under way: the others need not wait for that.
        holding.wait(message, token, "cart_busy", due_at=now + holding.WAIT, late_by=timedelta())
        return False
    if passed is None:
        return False
    try:
        letter = reminders.letter(
            message=message,
            case=passed.case,
            contact=passed.around.contact,
            profile=passed.around.profile,
            offer=passed.offer,
        )
        envelope = reminders.envelope(letter, public_id=message.public_id, connection=server)
    except Exception:  # one bad row holds up no other: it is parked with its reason
        log.exception("mail_not_rendered", message=message.public_id)
        handing.move(message, token, MessageState.FAILED, reason="render", now=now)
        return False
    return handing.hand_over(message, token, envelope, server, now)


def _pass_gates(
    message: Message, token: uuid.UUID, all_around: Mapping[int, Around], line: Queue, now: datetime
) -> _Passed | None:
    """Judge a message and commit what follows; give what its mail needs if it may go."""
    event = _event_of(message)
    if event.user_id is None:
        holding.cancel(message, token, event, "customer_inactive", now)
        return None
    around = all_around[event.user_id]
    if around.live.is_copy:  # Redis cannot say whether somebody came back
        holding.wait(message, token, "carts_unavailable", due_at=now + holding.WAIT, late_by=timedelta())
        return None
    domain = links.domain_of(around.contact.email) if around.contact else ""
    is_late = message.late_after is not None and now > message.late_after
    if (told := line.refusal(domain)) is not Pace.GO and not is_late:
        holding.queue(message, token, told, domain, line, now)
        return None
    try:
        with transaction.atomic(durable=not connection.in_atomic_block):
            passed, pace = _judge(message, token, event, around, domain, now)
    except IntegrityError as error:
        if sqlstate(error) != EXCLUSION_VIOLATION:
            raise
        # Another event of theirs took the cool-down after it was looked for.
        holding.cancel(message, token, event, "cooldown", now)
        return None
    if pace is not Pace.GO:
        holding.queue(message, token, pace, domain, line, now)
    return passed


def _judge(
    message: Message, token: uuid.UUID, event: Abandonment, around: Around, domain: str, now: datetime
) -> tuple[_Passed | None, Pace]:
    # In this order, and before anything else: an order locks the cart's record first, too.
    record = idle.lock_record(record_id=event.cart_record_id)
    held = prepared(_HELD, {"id": message.pk, "token": token, "margin": MARGIN})
    if not held:
        return None, Pace.GO  # the lease is over, or another worker has it
    event = instance_of(Abandonment, held[0][:_OF_EVENT])
    event.campaign = instance_of(Campaign, held[0][_OF_EVENT:])
    case = judging.gather(
        campaign=event.campaign,
        record=record,
        around=around,
        now=now,
        abandoned_at=event.abandoned_at,
        event=event,
        message=message,
    )
    said = rules.evaluate(case.facts)
    if said.outcome is not Outcome.PASS:
        holding.hold_back(message, token, event, said, case, now)
        return None, Pace.GO
    # The last gate, as asking it takes what it allows; a ghost asks, too, so that a slow queue makes both late.
    pace = limiting.take_of_domain(domain=domain)
    if pace is not Pace.GO:
        return None, pace
    return _let_go(message, token, event, record, passed=_Passed(case, around), now=now), Pace.GO


def _event_of(message: Message) -> Abandonment:
    if message.abandonment is None:
        msg = "a reminder has an event"
        raise ValueError(msg)
    return message.abandonment


def _let_go(
    message: Message,
    token: uuid.UUID,
    event: Abandonment,
    record: RecordedCart | None,
    *,
    passed: _Passed,
    now: datetime,
) -> _Passed | None:
    """Write down that the message goes from here on; a ghost has gone already.

    :raises IntegrityError: if another event of the customer has the cool-down that the first mail takes.
    """
    about = {
        "id": message.pk,
        "token": token,
        "event": event.pk,
        "takes": message.step_no == 1,
        "begin": event.enrolled_at,
        "end": event.enrolled_at + event.campaign.cooldown,
        "snapshot": json.dumps(_snapshot(record)) if record else None,
    }
    if event.is_holdout:
        prepared(_GHOST, about)
        return None
    offer = granting.grant(message=message, event=event, case=passed.case, now=now)
    contact = passed.around.contact
    email = contact.email if contact else ""
    message.recipient_hash = links.address_hashes(email)[0]
    message.link_hash = links.link_hash(links.new_link(message.public_id))
    to_whom = {"recipient": mask(email), "recipient_hash": message.recipient_hash, "link_hash": message.link_hash}
    shown = {"shown": json.dumps(reminders.shown(passed.case)), "now": now, "lease": conf().lease_seconds}
    prepared(_SENDING, {**about, **to_whom, **shown})
    return replace(passed, offer=offer)


def _snapshot(record: RecordedCart) -> list[dict[str, Any]]:
    return [
        {
            "sku_id": line.sku_id,
            "quantity": line.quantity,
            "price_at_add": asdict(line.price_at_add) if line.price_at_add else None,
        }
        for line in record.lines
    ]
