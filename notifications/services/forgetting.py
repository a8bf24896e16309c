"""Forget people: when their account goes, and when what is known of them has become old. Counts stay."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from notifications.conf import conf
from notifications.models import (
    Abandonment,
    DiscountGrant,
    MailEvent,
    Message,
    Preference,
    SavedNews,
    Suppression,
    Touch,
)
from notifications.services import limiting
from notifications.types import EventState, MessageKind, MessageState, TouchKind

BATCH = 1_000
_MONTH = timedelta(days=30.5)
_BLANK: dict[str, Any] = {"recipient": "", "recipient_hash": "", "shown": None}
ERASED = "customer_erased"
_FINAL = "notifications.Message:message_sent_is_final"


def forget_customer(*, user_id: int, now: datetime) -> None:
    """Take a customer out of all reminders: no later mail, no link that works, nothing that names or describes them.

    What they were counted as in a campaign stays, and so do suppressed addresses, as hashes. Safe to repeat.
    """
    with transaction.atomic():
        mine = Abandonment.objects.filter(user_id=user_id)
        ids = list(mine.select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))
        Abandonment.objects.filter(pk__in=ids, closed_at__isnull=True).update(
            state=EventState.CANCELLED.value, close_reason=ERASED, closed_at=now
        )
        Abandonment.objects.filter(pk__in=ids).update(user_id=None, cooldown_range=None, snapshot=None)
        with pgtrigger.ignore(_FINAL):
            mails = Message.objects.filter(Q(abandonment__in=ids) | Q(saved_news__user_id=user_id))
            mail_ids = sorted(set(mails.values_list("pk", flat=True)))
            Message.objects.filter(pk__in=mail_ids).update(**_BLANK, link_hash=None)
        _forget_visitors(Touch.objects.filter(message__in=mail_ids))
        MailEvent.objects.filter(message__in=mail_ids).update(email_hash="")
        SavedNews.objects.filter(user_id=user_id).delete()  # a mail of theirs that waits is cancelled, then
        DiscountGrant.objects.filter(user_id=user_id).update(user_id=None)
        Preference.objects.filter(user_id=user_id).delete()


def _forget_visitors(touches: QuerySet[Touch]) -> None:
    """Take who came by their links out of these visits: of several to one mail one is left, as nobody's."""
    before = Touch.objects.filter(message=OuterRef("message"), kind=OuterRef("kind"), pk__lt=OuterRef("pk"))
    touches.filter(Q(kind=TouchKind.TRAP.value) | Q(Exists(before))).delete()
    touches.update(visitor="", source="")


def forget_order_mails(*, order_numbers: Collection[str], payment_ids: Collection[str]) -> None:
    """Take who was written to out of the mails of these orders and payments; what waits is not sent. Safe to repeat.

    A mail that is made of one of them later has nobody to go to, and is cancelled as well.
    """
    told = Q(order_number__in=order_numbers) | Q(payment_id__in=payment_ids)
    mails = Message.objects.filter(told, kind=MessageKind.ORDER.value)
    with transaction.atomic(), pgtrigger.ignore(_FINAL):
        waiting = mails.filter(state__in=[MessageState.DUE.value, MessageState.UNKNOWN.value])
        waiting.update(state=MessageState.CANCELLED.value, reason=ERASED)
        mails.exclude(recipient="", recipient_hash="").update(recipient="", recipient_hash="")
        MailEvent.objects.filter(message__in=mails).update(email_hash="")


def forget_old(*, now: datetime) -> int:
    """Empty what is older than the shop keeps (`NOTIFICATIONS_RETENTION_MONTHS`); give the number of rows.

    Carts as they were, what mails showed and to whom, and visits go; arms, times and orders stay for the reports.
    """
    before = now - conf().retention_months * _MONTH
    done = Suppression.objects.filter(expires_at__lt=now).delete()[0]
    while ids := _some(Abandonment.objects.filter(enrolled_at__lt=before, snapshot__isnull=False)):
        done += Abandonment.objects.filter(pk__in=ids).update(snapshot=None)
    told = ~Q(recipient="") | ~Q(recipient_hash="") | Q(shown__isnull=False)
    while ids := _some(SavedNews.objects.filter(found_at__lt=before)):
        done += SavedNews.objects.filter(pk__in=ids).delete()[0]
    mine = ~Q(kind=MessageKind.ORDER.value)
    while ids := _some(Message.objects.filter(told, mine, created_at__lt=before)):
        with transaction.atomic(), pgtrigger.ignore(_FINAL):
            done += Message.objects.filter(pk__in=ids).update(**_BLANK)
    while ids := _some(Touch.objects.filter(at__lt=before)):
        done += Touch.objects.filter(pk__in=ids).delete()[0]
    while ids := _some(MailEvent.objects.filter(at__lt=before)):
        done += MailEvent.objects.filter(pk__in=ids).delete()[0]
    limiting.forget_domains(now=now)
    return done


def _some(found: QuerySet[Any]) -> list[int]:
    return list(found.order_by("pk").values_list("pk", flat=True)[:BATCH])
