"""Finish what a dead process or a shopper who left has not: clear carts, give units back, end old checkouts."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from cart import selectors as carts
from shop.checkout import models
from shop.checkout.conf import conf
from shop.checkout.selectors import principal_of
from shop.checkout.services import rows
from shop.checkout.services.clearing import finish_order
from shop.checkout.services.keeping import give_back_removed
from shop.checkout.types import CheckoutState
from shop.core.db import retrying
from shop.core.errors import Refusal

log = structlog.get_logger(__name__)

BATCH = 200
FOLLOWED = 2_000
"""So many open checkouts, the latest first, are compared with their carts: one read of Redis each."""
GRACE_SECONDS = 5
"""An order's own request clears its cart within this time; the sweep looks at older ones only."""
KEEP_HOURS = 24
"""How long keyed answers are kept, and a checkout that nobody touches with what was typed into it."""
INBOX_DAYS = 30


def finish_checkouts(*, now: datetime) -> int:
    """Do what was left undone; safe to run twice at once. Gives the number of orders, checkouts and records dealt with.

    Carts of orders are cleared whose process died before it; open checkouts follow what was taken out of their carts;
    a checkout untouched for a day ends; old keyed answers, inbox rows and links of orders are deleted.
    """
    return _clear_carts(now) + _follow_carts(now) + _end_old(now) + _prune(now)


def _clear_carts(now: datetime) -> int:
    waiting = models.Order.objects.filter(
        cart_cleared_at__isnull=True, placed_at__lt=now - timedelta(seconds=GRACE_SECONDS)
    )
    cleared = 0
    for number in waiting.order_by("placed_at").values_list("number", flat=True)[:BATCH]:
        cleared += finish_order(number=number, now=now)
    return cleared


def _follow_carts(now: datetime) -> int:
    """Give back what shoppers took out of their carts; only checkouts that still hold something are looked at."""
    since = now - timedelta(hours=1)
    live = models.Checkout.objects.filter(state=CheckoutState.OPEN.value, updated_at__gte=since).order_by("-updated_at")
    followed = 0
    for row in live[:FOLLOWED]:
        cart = carts.get_current_cart(ref=rows.ref_of(row.owner))
        if cart.is_copy:
            break
        if cart.content_version > row.cart_content_version:
            principal = principal_of(row.owner)
            try:
                followed += give_back_removed(checkout_id=row.checkout_id, principal=principal, now=now)
            except Refusal as error:
                log.warning("checkout_not_followed", checkout=row.checkout_id, reason=error.code)
    return followed


def _end_old(now: datetime) -> int:
    """End checkouts that nobody touches: open ones after a day, and paying ones whose payments all came to nothing."""
    open_before = now - timedelta(hours=KEEP_HOURS)
    paying_before = now - timedelta(seconds=conf().pin_seconds)
    stale = models.Checkout.objects.filter(state=CheckoutState.OPEN.value, updated_at__lt=open_before)
    stuck = models.Checkout.objects.filter(state=CheckoutState.PAYING.value, updated_at__lt=paying_before).exclude(
        payments__state__in=models.payments.RUNNING,
    )
    ended = 0
    for query in (stale, stuck):
        for checkout_id in list(query.order_by("updated_at").values_list("checkout_id", flat=True)[:BATCH]):
            ended += _end(checkout_id, now)
    return ended


@retrying
def _end(checkout_id: str, now: datetime) -> bool:
    row = models.Checkout.objects.select_for_update(no_key=True).order_by("checkout_id").get(pk=checkout_id)
    is_running = row.payments.filter(state__in=models.payments.RUNNING).exists()
    if (
        row.state not in models.checkouts.LIVE
        or is_running
        or row.updated_at > now - timedelta(seconds=conf().pin_seconds)
    ):
        return False
    rows.end(row, state=CheckoutState.EXPIRED, cause="too_old", now=now)
    return True


def _prune(now: datetime) -> int:
    answers = models.IdempotencyRecord.objects.filter(
        created_at__lt=now - timedelta(hours=KEEP_HOURS), lease_until__lt=now
    )
    events = models.WebhookEvent.objects.filter(
        received_at__lt=now - timedelta(days=INBOX_DAYS), state=models.WebhookState.PROCESSED
    )
    links = models.OrderToken.objects.filter(expires_at__lt=now)
    return sum(query.delete()[0] for query in (answers, events, links))
