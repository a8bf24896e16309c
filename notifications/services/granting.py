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
from shop.core.money import Money

VOID_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Off:
    """What a code takes off the whole cart: per cent, or an amount."""

    percent: int = 0
    amount: Money | None = None
    least: Money | None = None
    """What a cart must be worth for the amount."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A code as its mail shows it: the only time that all of it is told."""

    code: str
    off: Off
    valid_until: datetime


def grant(*, message: Message, event: Abandonment, case: Case, now: datetime) -> Offered | None:
    """Issue the code that a message's step promises, in the transaction that lets the message go; None without one.

    A cart below the step's minimum gets none, nor a customer who got one lately. Whoever is sent the same message
    again gets another code, and the one before is void: codes are kept as hashes, and told once.
    """
    step = message.step
    if step is None or event.user_id is None or not case.lines:
        return None
    promised = _promised(step, total_of(case))
    if promised is None:
        return None
    promotion_id, off = promised
    before = DiscountGrant.objects.filter(abandonment=event).first()
    if before is not None and before.message_id != message.pk:
        return None  # an earlier mail of this event promised one, and that stands
    since = now - timedelta(days=conf().code_cooldown_days)
    if DiscountGrant.objects.filter(user_id=event.user_id, created_at__gte=since).exclude(abandonment=event).exists():
        return None
    until = now + timedelta(days=step.code_days)
    (issued,) = pricing.issue_codes(
        promotion_id=promotion_id, count=1, valid_from=now, valid_until=until, user_id=event.user_id
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
    return Offered(code=issued.code, off=off, valid_until=until)


def sample(step: Step, *, currency: str, now: datetime) -> Offered | None:
    """Give what a preview shows in place of a code for a cart in this currency, large enough; nothing is issued."""
    off = _off(step, currency)
    return Offered(code="XXXXXXXXXXXXXXXX", off=off, valid_until=now + timedelta(days=step.code_days)) if off else None


def _promised(step: Step, total: Money) -> tuple[int, Off] | None:
    """Give the promotion behind a step's codes for a cart of this value, and what it takes off; None: no code."""
    off = _off(step, total.currency)
    if off is None:
        return None
    if off.least is not None:
        promotion_id, is_large_enough = step.promotion_ids.get(total.currency), total >= off.least
    else:
        promotion_id = step.promotion_id
        is_large_enough = rules.is_large_enough(
            total.minor,
            total.currency,
            own=settings.PRICING.currency,
            minimum_minor=step.code_minimum_minor,
            others=step.code_other_minimums,
        )
    return (promotion_id, off) if promotion_id is not None and is_large_enough else None


def _off(step: Step, currency: str) -> Off | None:
    """Tell what a step's codes take off a cart in a currency; None if nothing."""
    if step.code_percent:
        return Off(percent=step.code_percent)
    own = settings.PRICING.currency
    amount = rules.amount_in(currency, own=own, amount_minor=step.code_amount_minor, others=step.code_other_amounts)
    least = rules.amount_in(currency, own=own, amount_minor=step.code_minimum_minor, others=step.code_other_minimums)
    return Off(amount=Money(amount, currency), least=Money(least, currency)) if amount else None


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
