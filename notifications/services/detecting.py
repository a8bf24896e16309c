"""Find idle carts and enroll them: by keyset from a cursor, a transaction a batch; constraints are the truth."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import structlog
from django.db import transaction

from cart import idle
from cart import selectors as carts
from cart.errors import CartsUnavailableError
from cart.idle import IdleCart
from notifications import rules, selectors
from notifications.conf import conf
from notifications.models import Campaign
from notifications.rules import Facts, Outcome, Weighted
from notifications.services import enrolling, judging
from notifications.services.enrolling import STATEMENT_TIMEOUT, Batch, Writer
from notifications.types import CampaignState
from shop.accounts import selectors as accounts
from shop.checkout import following
from shop.core.db import array_text, prepared, rows

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 45
OVERLAP = timedelta(minutes=10)
"""Records become visible some time after the activity that they tell of."""
LAG_SECONDS = 60
"""While the recorder is so far behind, PostgreSQL does not know who came back: nobody is enrolled or mailed."""
_SEEN, _BUSY, _COOLING = 1, 2, 4
"""What `_KNOWN` tells."""

# One look by index for each customer, whatever the planner thinks: a hashed sub-query would read the whole table with
# each batch. An event of a cart bears the cart's customer.
_KNOWN = """
WITH w AS MATERIALIZED (
       SELECT * FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(user_ids)s::bigint[])
                  AS u(id, content_version, user_id))
SELECT w.id, e.fact FROM w CROSS JOIN LATERAL (
       SELECT CASE WHEN a.cart_record_id = w.id AND a.content_version = w.content_version THEN 1 ELSE 0 END
            | CASE WHEN a.closed_at IS NULL THEN 2 ELSE 0 END
            | CASE WHEN a.cooldown_range @> %(now)s::timestamptz THEN 4 ELSE 0 END AS fact
         FROM notifications_abandonment a WHERE a.user_id = w.user_id OFFSET 0) e
"""


def is_behind() -> bool:
    """Tell whether PostgreSQL does not know well enough what happened to carts lately."""
    try:
        return carts.recorder_status().oldest_seconds > LAG_SECONDS
    except CartsUnavailableError:
        return True


def detect(*, now: datetime, is_sweep: bool = False, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Enroll the idle carts of all running campaigns; give the number of those enrolled. Safe to run twice at once.

    Goes on from a saved cursor, ten minutes before it; a sweep starts at the greatest age, and finds what became
    visible late. The cursor moves over what was looked at, not over what was enrolled, so that a batch of people who
    must not be mailed is not the end. Of several campaigns the earliest idle time wins, then the priority.
    """
    if is_behind():
        log.warning("reminders_wait_for_the_recorder")
        return 0
    ends, enrolled = time.monotonic() + budget_seconds, 0
    running = Campaign.objects.filter(state=CampaignState.RUNNING.value).prefetch_related("variants")
    for campaign in running.order_by("idle_threshold", "priority", "id"):
        enrolled += _scan(campaign, now, ends, is_sweep=is_sweep)
    return enrolled


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for, the same for all batches."""

    campaign: Campaign
    variants: tuple[Weighted, ...]
    now: datetime
    since: datetime
    key: str
    counted_from: tuple[datetime, int]
    """Who was left alone before this place was counted before."""


def _scan(campaign: Campaign, now: datetime, ends: float, *, is_sweep: bool) -> int:
    since, key = max(now - campaign.max_age, campaign.activated_at or now), f"idle:{campaign.pk}"
    saved = _cursor(key)
    search = _Search(
        campaign=campaign,
        variants=tuple(Weighted(variant.pk, variant.weight_bp) for variant in campaign.variants.all()),
        now=now,
        since=since,
        key=key,
        counted_from=saved or (since, 0),
    )
    place = (since, 0) if is_sweep or saved is None else (saved[0] - OVERLAP, 0)
    writer, limit = Writer(), conf().batch
    try:
        while time.monotonic() < ends and writer.is_alone:
            with transaction.atomic():
                rows("SELECT set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
                before = now - campaign.idle_threshold
                found = idle.list_idle(before=before, since=since, after=place, limit=limit)
                batch = _read(search, found) if found else None
            if batch is None:
                break
            writer.put(batch, is_last=len(found) < limit)
            place = batch.place
            if len(found) < limit:
                break
        writer.settle()
    finally:
        writer.close()
    return writer.enrolled


def _read(search: _Search, found: Sequence[IdleCart]) -> Batch:
    """Look up what is known of some carts, and judge each."""
    campaign = search.campaign
    ids, user_ids = [cart.record_id for cart in found], [cart.user_id for cart in found]
    known: dict[int, int] = {}
    about = {
        "ids": array_text(ids),
        "versions": array_text([cart.content_version for cart in found]),
        "user_ids": array_text(user_ids),
        "now": search.now,
    }
    for record_id, fact in prepared(_KNOWN, about):
        known[record_id] = known.get(record_id, 0) | fact
    buyers = following.list_buyers_since(pairs=[(cart.user_id, cart.last_activity_at) for cart in found])
    others = accounts.list_not_customers(user_ids=user_ids)
    wishes = selectors.list_wishes(user_ids=user_ids)
    kept: list[IdleCart] = []
    skipped: Counter[str] = Counter()
    for cart in found:
        reason = _judge(
            known.get(cart.record_id, 0),
            cart.user_id in buyers,
            others.get(cart.user_id),
            wishes.get(cart.user_id),
            not campaign.minimum_minor or judging.is_large_enough(campaign, cart.value_minor, cart.currency),
        )
        if not reason:
            kept.append(cart)
        elif reason != "seen_before" and (cart.last_activity_at, cart.record_id) > search.counted_from:
            skipped[reason] += 1
    return enrolling.batch_of(
        campaign, found, kept, skipped=skipped, variants=search.variants, key=search.key, now=search.now
    )


@lru_cache(maxsize=256)
def _judge(
    known: int,
    has_ordered: bool,  # noqa: FBT001 - one answer for each combination, remembered
    is_staff: bool | None,  # noqa: FBT001
    wish: bool | None,  # noqa: FBT001
    is_large_enough: bool,  # noqa: FBT001
) -> str:
    """Ask the gates with what is known at detection; give the reason against, or an empty text."""
    facts = Facts(
        now=datetime(1970, 1, 1, tzinfo=UTC),  # no gate that looks at a clock has its facts yet
        is_event_new=not known & _SEEN,
        has_open_event=bool(known & _BUSY),
        is_cooling_down=bool(known & _COOLING),
        has_ordered_since=has_ordered,
        is_staff=bool(is_staff),
        is_active=is_staff is not False,
        is_opted_out=wish is False,
        is_large_enough=is_large_enough,
    )
    said = rules.evaluate(facts)
    return "" if said.outcome is Outcome.PASS else said.reason


def _cursor(key: str) -> tuple[datetime, int] | None:
    found = rows("SELECT position_at, position_id FROM notifications_cursor WHERE key = %s", [key])
    return (found[0][0], found[0][1]) if found else None
