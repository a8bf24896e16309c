"""Write orders to events and mails: what each arm ordered, and, beside it, what several models give the mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max

from notifications import links
from notifications.models import Abandonment, Attribution, Campaign, Cursor, DiscountGrant
from notifications.types import AttributionModel, CampaignState, EventState
from pricing import selectors as pricing
from shop.checkout import following
from shop.checkout.following import PlacedOrder, RefundedOrder
from shop.core.db import array_text, statement

BATCH = 1_000
OVERLAP = timedelta(minutes=10)
"""Orders, and events, become visible some time after the moment that they bear: each run looks back so far."""
_KEY, _REFUNDS_KEY = "orders_attributed", "refunds_attributed"
_ORDERS = """
unnest(%(numbers)s::text[], %(user_ids)s::bigint[], %(visitors)s::text[], %(times)s::timestamptz[],
       %(totals)s::bigint[], %(currencies)s::text[], %(codes)s::bigint[])
    AS o(number, user_id, visitor, placed_at, total_minor, currency, code_minor)
"""

# Of several orders within one window the first one counts. An order in another currency than the cart's counts as an
# order, and adds no amount to its report.
_WRITE = f"""
WITH f AS MATERIALIZED (
       SELECT DISTINCT ON (e.id) e.id, o.number, o.placed_at,
              CASE WHEN o.currency = e.currency THEN o.total_minor ELSE 0 END AS minor,
              CASE WHEN o.currency = e.currency THEN o.code_minor ELSE 0 END AS code_minor
         FROM {_ORDERS}
        CROSS JOIN LATERAL (
               SELECT a.id, a.currency FROM notifications_abandonment a
                 JOIN notifications_campaign c ON c.id = a.campaign_id AND c.state <> %(draft)s
                WHERE a.user_id = o.user_id AND a.ordered_at IS NULL
                  AND o.placed_at >= a.enrolled_at AND o.placed_at < a.enrolled_at + c.outcome_window) e
        ORDER BY e.id, o.placed_at, o.number)
UPDATE notifications_abandonment a
   SET order_number = f.number, ordered_at = f.placed_at, order_minor = f.minor, code_minor = f.code_minor
  FROM f WHERE a.id = f.id AND a.ordered_at IS NULL
RETURNING a.id
"""  # noqa: S608 - put together from constants

# The last visit before an order: by whoever ordered, from whichever mail, or by the customer of the mail. For how long
# a visit counts, its campaign says.
_TOUCHED = f"""
INSERT INTO notifications_attribution (order_number, model, campaign_id, message_id, at, total_minor, currency)
SELECT o.number, k.kind, t.campaign_id, t.message_id, o.placed_at, o.total_minor, o.currency
  FROM {_ORDERS}
 CROSS JOIN unnest(%(kinds)s::text[]) AS k(kind)
 CROSS JOIN LATERAL (
        SELECT found.message_id, found.campaign_id FROM (
               SELECT t.message_id, t.at, a.campaign_id FROM notifications_touch t
                 JOIN notifications_message m ON m.id = t.message_id
                 JOIN notifications_abandonment a ON a.id = m.abandonment_id
                WHERE t.visitor = o.visitor AND t.visitor <> '' AND t.kind = k.kind
                  AND t.at <= o.placed_at AND t.at > o.placed_at - %(longest)s::interval
                UNION ALL
               SELECT t.message_id, t.at, a.campaign_id FROM notifications_abandonment a
                 JOIN notifications_message m ON m.abandonment_id = a.id
                 JOIN notifications_touch t ON t.message_id = m.id AND t.kind = k.kind
                WHERE a.user_id = o.user_id AND t.at <= o.placed_at) found
           JOIN notifications_campaign c ON c.id = found.campaign_id
          WHERE found.at > o.placed_at - c.click_window
          ORDER BY found.at DESC, found.message_id DESC LIMIT 1) t
    ON CONFLICT DO NOTHING
RETURNING id
"""  # noqa: S608 - put together from constants


# Both by their indexes: an order's own, and that of its customer's events.
_REFUND = """
UPDATE notifications_attribution SET refunded_minor = total_minor
 WHERE order_number = ANY(%(numbers)s::text[]) AND refunded_minor <> total_minor
RETURNING id
"""
_REFUND_EVENTS = """
UPDATE notifications_abandonment a SET refunded_minor = a.order_minor
  FROM unnest(%(numbers)s::text[], %(user_ids)s::bigint[]) AS o(number, user_id)
 WHERE a.user_id = o.user_id AND a.order_number = o.number AND a.refunded_minor <> a.order_minor
RETURNING a.id
"""


def attribute_refunds(*, now: datetime) -> int:
    """Follow the orders whose money was given back since the last run; give the number of events with one of them.

    Call it after `attribute_orders`: a refund is written to what its order was written to. Safe to repeat.
    """
    cursor = _cursor(_REFUNDS_KEY, now)
    if cursor is None:
        return 0
    since, after, done = cursor - OVERLAP, "", 0
    while found := following.list_refunded(since=since, after=after, limit=BATCH):
        about = {"numbers": array_text([order.number for order in found]), "user_ids": _ids(found)}
        statement(_REFUND, about)
        done += len(statement(_REFUND_EVENTS, about))
        since, after = found[-1].settled_at, found[-1].payment_id
        Cursor.objects.filter(key=_REFUNDS_KEY, position_at__lt=since).update(position_at=since)
        if len(found) < BATCH:
            break
    return done


def attribute_orders(*, now: datetime) -> int:
    """Follow the orders placed since the last run; give the number of events that got one. Safe to repeat.

    Each event gets the first order within its campaign's window, in every arm alike: what a mail has brought is the
    difference of the arms. Beside that several models give orders to mails (last click, last restore, its code); none
    of them tells what would have been ordered anyway. Costs what the new orders cost, however many events there are.
    """
    cursor = _cursor(_KEY, now)
    if cursor is None:
        return 0
    since, after, done = cursor - OVERLAP, "", 0
    while found := following.list_placed(since=since, after=after, limit=BATCH):
        done += _follow(found, now)
        since, after = found[-1].placed_at, found[-1].number
        Cursor.objects.filter(key=_KEY, position_at__lt=since).update(position_at=since)
        if len(found) < BATCH:
            break
    return done


def _cursor(key: str, now: datetime) -> datetime | None:
    """Tell how far something was followed; at first as far back as any window reaches. None: no campaign ever began."""
    windows = Campaign.objects.exclude(state=CampaignState.DRAFT.value).values_list("outcome_window", flat=True)
    if not windows:
        return None
    begins = {"position_at": now - max(windows) - timedelta(days=1)}
    return Cursor.objects.get_or_create(key=key, defaults=begins)[0].position_at


def _follow(orders: Sequence[PlacedOrder], now: datetime) -> int:
    about: Mapping[str, Any] = {
        "numbers": array_text([order.number for order in orders]),
        "user_ids": _ids(orders),
        "visitors": array_text([links.visitor_hash(order.owner) for order in orders]),
        "times": array_text([order.placed_at for order in orders]),
        "totals": array_text([order.total_minor for order in orders]),
        "currencies": array_text([order.currency for order in orders]),
        "codes": array_text([order.code_minor for order in orders]),
    }
    with transaction.atomic():
        written = [pk for (pk,) in statement(_WRITE, {**about, "draft": CampaignState.DRAFT.value})]
        Abandonment.objects.filter(pk__in=written, closed_at__isnull=True).update(
            state=EventState.CONVERTED.value, close_reason="order_since", closed_at=now
        )
    touched = {
        "kinds": [AttributionModel.CLICK.value, AttributionModel.RESTORE.value],
        "longest": Campaign.objects.aggregate(longest=Max("click_window"))["longest"],
    }
    statement(_TOUCHED, {**about, **touched})
    _follow_codes(orders)
    return len(written)


def _ids(orders: Sequence[PlacedOrder] | Sequence[RefundedOrder]) -> str:
    return "{" + ",".join("NULL" if order.user_id is None else str(order.user_id) for order in orders) + "}"


def _follow_codes(orders: Sequence[PlacedOrder]) -> None:
    """Give an order to the mail whose personal code it used."""
    by_number = {order.number: order for order in orders}
    theirs = {order.user_id for order in orders if order.user_id is not None}
    grants = DiscountGrant.objects.filter(user_id__in=theirs).select_related("abandonment")
    by_code = {grant.code_id: grant for grant in grants}
    used = pricing.list_orders_of_codes(code_ids=list(by_code)) if by_code else {}
    Attribution.objects.bulk_create(
        [
            Attribution(
                order_number=number,
                model=AttributionModel.CODE.value,
                campaign_id=by_code[code_id].abandonment.campaign_id,
                message_id=by_code[code_id].message_id,
                at=order.placed_at,
                total_minor=order.total_minor,
                currency=order.currency,
            )
            for code_id, number in used.items()
            if (order := by_number.get(number)) is not None
        ],
        ignore_conflicts=True,
    )
