"""What becomes of a claimed reminder that does not go: it waits, or it is cancelled; guarded by the claim's token."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from notifications.conf import conf
from notifications.models import Abandonment, Message
from notifications.rules import Judgment, Outcome
from notifications.services.judging import Case
from notifications.services.limiting import Pace
from notifications.types import EventState, MessageState

WAIT, MOVE = timedelta(minutes=1), timedelta(minutes=30)
_BUYER_CAME = ("order_since",)


def hold_back(
    message: Message, token: uuid.UUID, event: Abandonment, said: Judgment, case: Case, now: datetime
) -> None:
    """Do what a gate says that does not let a message pass."""
    match said.outcome:
        case Outcome.WAIT:
            wait(message, token, said.reason, due_at=now + WAIT, late_by=timedelta())
        case Outcome.MOVE:
            loud_at = case.facts.loud_at
            until = loud_at if said.reason == "quiet_hours" and loud_at else now + MOVE
            wait(message, token, said.reason, due_at=until, late_by=until - now)
        case _:
            cancel(message, token, event, said.reason, now)


@dataclass(slots=True)
class Queue:
    """Those of one wake-up that wait for their receiving domain, or (as the empty one) for the next day."""

    waiting: Counter[str] = field(default_factory=Counter)
    full: set[str] = field(default_factory=set)
    """Domains that were refused in this batch: others of them need not ask."""

    def refusal(self, domain: str) -> Pace:
        """Tell what a message to this domain would be told, as far as it is known."""
        if "" in self.full:
            return Pace.DAY
        return Pace.DOMAIN if domain in self.full else Pace.GO


def queue(message: Message, token: uuid.UUID, pace: Pace, domain: str, line: Queue, now: datetime) -> None:
    """Let a message wait for its turn: the next day, or as many tokens of its domain as wait before it.

    It waits no longer than until it is too late, so that it ends as that.
    """
    key = domain if pace is Pace.DOMAIN else ""
    line.full.add(key)
    line.waiting[key] += 1
    if pace is Pace.DAY:
        due_at = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    else:
        due_at = now + timedelta(seconds=max(1, line.waiting[key] / conf().rate_per_domain))
    if message.late_after is not None and message.late_after > now:
        due_at = min(due_at, message.late_after)
    wait(message, token, pace.value, due_at=due_at, late_by=timedelta())


def wait(message: Message, token: uuid.UUID, reason: str, *, due_at: datetime, late_by: timedelta) -> None:
    """Make a message due later; waiting is no try. `late_by` moves the time after which it is too late."""
    late_after = message.late_after + late_by if message.late_after else None
    Message.objects.filter(pk=message.pk, claim_token=token, state=MessageState.CLAIMED.value).update(
        state=MessageState.DUE.value,
        reason=reason,
        due_at=due_at,
        late_after=late_after,
        attempts=max(0, message.attempts - 1),
        claim_token=None,
        lease_until=None,
    )


def cancel(message: Message, token: uuid.UUID, event: Abandonment, reason: str, now: datetime) -> None:
    """Cancel a message, and close its event: a later change of the cart is another episode."""
    mine = Message.objects.filter(pk=message.pk, claim_token=token, state=MessageState.CLAIMED.value)
    if mine.update(state=MessageState.CANCELLED.value, reason=reason, claim_token=None, lease_until=None):
        state = EventState.CONVERTED if reason in _BUYER_CAME else EventState.CANCELLED
        Abandonment.objects.filter(pk=event.pk, closed_at__isnull=True).update(
            state=state.value, close_reason=reason, closed_at=now
        )
