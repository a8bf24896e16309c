"""Make a message of every order and every refund that has none: nobody has to remember to ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from notifications.models import Cursor, Message
from notifications.types import MessageKind, Template
from shop.checkout import selectors as checkout
from shop.core.ids import new_id

OVERLAP = timedelta(minutes=10)
"""Rows become visible some time after the moment that they bear: each sweep looks back so far."""
BATCH = 500

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Page = Callable[[datetime, str], Sequence[tuple[str, datetime]]]
"""Subjects from a time and id on, oldest first: id and time of each."""


def queue_order_mails(*, now: datetime) -> int:
    """Make the messages that are missing; give their number. Safe to run twice at once.

    After a pause of any length the sweep goes on where it stood: the cursor moves only past what was queued.
    """
    return _sweep(Template.CONFIRMATION, _orders, now) + _sweep(Template.REFUND, _refunds, now)


def _orders(since: datetime, after: str) -> Sequence[tuple[str, datetime]]:
    return checkout.list_order_numbers(placed_from=since, after=after, limit=BATCH)


def _refunds(since: datetime, after: str) -> Sequence[tuple[str, datetime]]:
    return checkout.list_refunds(settled_from=since, after=after, limit=BATCH)


def _sweep(template: Template, page: Page, now: datetime) -> int:
    cursor, _ = Cursor.objects.get_or_create(key=template.value, defaults={"position_at": EPOCH})
    since, after, made = cursor.position_at - OVERLAP, "", 0
    while found := page(since, after):
        made += _queue(template, [subject for subject, _ in found], now)
        after, since = found[-1]
        Cursor.objects.filter(key=template.value, position_at__lt=since).update(position_at=since)
        if len(found) < BATCH:
            break
    return made


def _queue(template: Template, subjects: Sequence[str], now: datetime) -> int:
    """Make the missing messages of one page; a rival's are left alone by the unique constraint."""
    field = "order_number" if template is Template.CONFIRMATION else "payment_id"
    known = set(
        Message.objects.filter(template_key=template.value, **{f"{field}__in": subjects}).values_list(field, flat=True)
    )
    missing = [subject for subject in subjects if subject not in known]
    Message.objects.bulk_create(
        (
            Message(
                kind=MessageKind.ORDER.value,
                template_key=template.value,
                public_id=new_id("msg"),
                due_at=now,
                created_at=now,
                **{field: subject},
            )
            for subject in missing
        ),
        ignore_conflicts=True,
    )
    return len(missing)
