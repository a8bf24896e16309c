"""Personal discount codes in reminders: one an abandonment, not again for a while, void when their mail did not go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from notifications import rules
from notifications.conf import conf
from notifications.models import Abandonment, DiscountGrant, Message, Step
from notifications.services.judging import Case, total_of
from notifications.types import EventState, MessageState
from pricing import services as pricing

VOID_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Offered:
    """A code as its mail shows it: the only time that all of it is told."""

    code: str
    percent: int
    valid_until: datetime


def grant(*, message: Message, event: Abandonment, case: Case, now: datetime) -> Offered | None:
    """Issue the code that a message's step promises, in the transaction that lets the message go; None without one.

    A cart below the step's minimum gets none, nor a customer who got one lately. Whoever is sent the same message
    again gets another code, and the one before is void: codes are kept as hashes, and told once.
    """
    step = message.step
    if step is None or step.promotion_id is None or event.user_id is None or not case.lines:
        return None
    total = total_of(case)
    if not rules.is_large_enough(
        total.minor,
        total.currency,
        own=settings.PRICING.currency,
        minimum_minor=step.code_minimum_minor,
        others=step.code_other_minimums,
    ):
        return None
    before = DiscountGrant.objects.filter(abandonment=event).first()
    if before is not None and before.message_id != message.pk:
        return None  # an earlier mail of this event promised one, and that stands
    since = now - timedelta(days=conf().code_cooldown_days)
    if DiscountGrant.objects.filter(user_id=event.user_id, created_at__gte=since).exclude(abandonment=event).exists():
        return None
    until = now + timedelta(days=step.code_days)
    (issued,) = pricing.issue_codes(
        promotion_id=step.promotion_id, count=1, valid_from=now, valid_until=until, user_id=event.user_id
    )
    if before is not None:
        pricing.revoke_codes(code_ids=[before.code_id], now=now)
        before.delete()
    DiscountGrant.objects.create(
        abandonment=event,
        message=message,
        code_id=issued.code_id,
        user_id=event.user_id,
        created_at=now,
        valid_until=until,
    )
    return Offered(code=issued.code, percent=step.code_percent, valid_until=until)


def sample(step: Step, *, now: datetime) -> Offered | None:
    """Give what a preview shows in place of a code; nothing is issued."""
    if not step.code_percent:
        return None
    return Offered(code="XXXXXXXXXXXXXXXX", percent=step.code_percent, valid_until=now + timedelta(days=step.code_days))


def void_grants(*, now: datetime) -> int:
    """Let codes apply no more whose mail did not go, or whose customer has ordered; give their number.

    A code in a mail that went stands until the day that the mail names, whatever becomes of the event otherwise.
    """
    useless = Q(message__state__in=[MessageState.FAILED.value, MessageState.CANCELLED.value]) | Q(
        abandonment__state=EventState.CONVERTED.value
    )
    over = DiscountGrant.objects.filter(useless, voided_at__isnull=True).order_by("pk")
    found = list(over.values_list("pk", "code_id")[:VOID_BATCH])
    pricing.revoke_codes(code_ids=[code_id for _, code_id in found], now=now)
    return DiscountGrant.objects.filter(pk__in=[pk for pk, _ in found]).update(voided_at=now)
