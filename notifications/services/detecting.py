"""Find idle carts and enroll them: by keyset from a cursor, a transaction a batch; constraints are the truth."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import structlog
from django.db import IntegrityError, connection, transaction

from cart import idle
from cart import selectors as carts
from cart.errors import CartsUnavailableError
from cart.idle import IdleCart
from notifications import rules, selectors
from notifications.conf import conf
from notifications.models import Campaign
from notifications.rules import Facts, Outcome, Weighted
from notifications.services import judging
from notifications.types import CampaignState, MessageKind, MessageState, Template
from shop.accounts import selectors as accounts
from shop.checkout import following
from shop.core.db import array_text, prepared, rows

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 45
OVERLAP = timedelta(minutes=10)
"""Records become visible some time after the activity that they tell of."""
LAG_SECONDS = 60
"""While the recorder is so far behind, PostgreSQL does not know who came back: nobody is enrolled or mailed."""
STATEMENT_TIMEOUT = "30s"
"""Of the statements of one batch: they write thousands of rows, and no page waits for them."""
_SEEN, _BUSY, _COOLING = 1, 2, 4
"""What `_KNOWN` tells."""
_LOCK = 7_104_105  # any number that no other advisory lock has

# Each look-up by itself and by its index, whatever the planner thinks: a hashed sub-query would read the whole table
# with each batch.
_KNOWN = """
WITH w AS MATERIALIZED (
       SELECT * FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(user_ids)s::bigint[])
                  AS u(id, content_version, user_id))
SELECT w.id, 1 FROM w CROSS JOIN LATERAL (
       SELECT 1 FROM notifications_abandonment a
        WHERE a.cart_record_id = w.id AND a.content_version = w.content_version LIMIT 1) seen
 UNION ALL
SELECT w.id, 2 FROM w CROSS JOIN LATERAL (
       SELECT 1 FROM notifications_abandonment a WHERE a.user_id = w.user_id AND a.closed_at IS NULL LIMIT 1) busy
 UNION ALL
SELECT w.id, 4 FROM w CROSS JOIN LATERAL (
       SELECT 1 FROM notifications_abandonment a
        WHERE a.user_id = w.user_id AND a.cooldown_range @> %(now)s::timestamptz LIMIT 1) cooling
"""

# Public ids begin with the time, and so lie side by side in their index. What follows is random once a batch, then the
# event's own number: a random number a row took a fifth of the batch. They keep no secret, a link's key does.
_ENROLL = """
WITH e AS (
  INSERT INTO notifications_abandonment
         (cart_record_id, content_version, user_id, campaign_id, variant_id, is_holdout, state, close_reason,
          abandoned_at, enrolled_at, currency, value_minor, order_number, order_minor)
  SELECT w.id, w.content_version, w.user_id, %(campaign)s, w.variant_id, w.is_holdout, 'open', '',
         w.abandoned_at, %(now)s, w.currency, w.value_minor, '', 0
    FROM unnest(%(ids)s::bigint[], %(versions)s::bigint[], %(user_ids)s::bigint[], %(variants)s::bigint[],
                %(holdouts)s::boolean[], %(sinces)b::timestamptz[], %(currencies)s::text[], %(values)s::bigint[])
         AS w(id, content_version, user_id, variant_id, is_holdout, abandoned_at, currency, value_minor)
   RETURNING id, variant_id, enrolled_at),
m AS (
INSERT INTO notifications_message
       (kind, template_key, order_number, payment_id, public_id, abandonment_id, step_id, step_no, state, reason,
        recipient, recipient_hash, attempts, deferrals, created_at, due_at, late_after)
SELECT %(kind)s, %(template)s, '', '',
       %(id_start)s || lpad(upper(to_hex(e.id %% 1048576)), 5, '0'),
       e.id, s.id, 1, %(due)s, '', '', '', 0, 0, %(now)s,
       e.enrolled_at + s.delay, e.enrolled_at + s.delay + %(late)s
  FROM e JOIN notifications_step s ON s.variant_id = e.variant_id AND s.number = 1
RETURNING 1)
SELECT count(*) FROM m
"""
# Without a target it takes in every unique constraint: of two detectors at once one enrolls, none fails.
_ENROLL_THE_REST = _ENROLL.replace("   RETURNING id,", "      ON CONFLICT DO NOTHING\n   RETURNING id,")

_MOVE_CURSOR = """
INSERT INTO notifications_cursor (key, position_at, position_id) VALUES (%(key)s, %(at)s, %(id)s)
    ON CONFLICT (key) DO UPDATE SET position_at = excluded.position_at, position_id = excluded.position_id
 WHERE (notifications_cursor.position_at, notifications_cursor.position_id)
     < (excluded.position_at, excluded.position_id)
RETURNING key
"""

_COUNT_SKIPS = """
INSERT INTO notifications_skipcount (campaign_id, day, reason, count)
SELECT %(campaign)s, %(day)s, w.reason, w.count FROM unnest(%(reasons)s::text[], %(counts)s::int[]) AS w(reason, count)
    ON CONFLICT (campaign_id, day, reason) DO UPDATE SET count = notifications_skipcount.count + excluded.count
RETURNING id
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


def _scan(campaign: Campaign, now: datetime, ends: float, *, is_sweep: bool) -> int:
    started = campaign.activated_at or now
    since, before = max(now - campaign.max_age, started), now - campaign.idle_threshold
    key = f"idle:{campaign.pk}"
    saved = _cursor(key)
    place = (since, 0) if is_sweep or saved is None else (saved[0] - OVERLAP, 0)
    counted_from = saved or (since, 0)
    variants = tuple(Weighted(variant.pk, variant.weight_bp) for variant in campaign.variants.all())
    enrolled, limit = 0, conf().batch
    while time.monotonic() < ends:
        with transaction.atomic(durable=not connection.in_atomic_block):
            # What a crash takes of a batch, the next search finds again: it need not wait for the disk.
            rows(
                "SELECT set_config('statement_timeout', %s, true), set_config('synchronous_commit', 'off', true)",
                [STATEMENT_TIMEOUT],
            )
            if not rows("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, campaign.pk])[0][0]:
                return enrolled  # another process is at it; this only saves work
            found = idle.list_idle(before=before, since=since, after=place, limit=limit)
            if not found:
                return enrolled
            enrolled += _enroll(campaign, found, variants, now, counted_from)
            place = (found[-1].last_activity_at, found[-1].record_id)
            rows(_MOVE_CURSOR, {"key": key, "at": place[0], "id": place[1]})
        if len(found) < limit:
            return enrolled
    return enrolled


def _enroll(
    campaign: Campaign,
    found: Sequence[IdleCart],
    variants: Sequence[Weighted],
    now: datetime,
    counted_from: tuple[datetime, int],
) -> int:
    ids, user_ids = [cart.record_id for cart in found], [cart.user_id for cart in found]
    known: dict[int, int] = {}
    about = {
        "ids": array_text(ids),
        "versions": array_text([cart.content_version for cart in found]),
        "user_ids": array_text(user_ids),
        "now": now,
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
        elif reason != "seen_before" and (cart.last_activity_at, cart.record_id) > counted_from:
            skipped[reason] += 1
    if skipped:
        rows(
            _COUNT_SKIPS,
            {
                "campaign": campaign.pk,
                "day": now.date(),
                "reasons": list(skipped),
                "counts": list(skipped.values()),
            },
        )
    return _insert(campaign, kept, variants, now) if kept else 0


def _insert(campaign: Campaign, kept: Sequence[IdleCart], variants: Sequence[Weighted], now: datetime) -> int:
    user_ids = [cart.user_id for cart in kept]
    about = {
        "campaign": campaign.pk,
        "now": now,
        "late": campaign.max_lateness,
        "kind": MessageKind.RECOVERY.value,
        "template": Template.REMINDER.value,
        "due": MessageState.DUE.value,
        "ids": array_text([cart.record_id for cart in kept]),
        "versions": array_text([cart.content_version for cart in kept]),
        "user_ids": array_text(user_ids),
        "variants": array_text(rules.choose_variants(campaign.salt, user_ids, variants)),
        "holdouts": array_text(rules.are_held_out(campaign.salt, user_ids, holdout_bp=campaign.holdout_bp)),
        "sinces": [cart.last_activity_at for cart in kept],
        "currencies": array_text([cart.currency for cart in kept]),
        "values": array_text([cart.value_minor for cart in kept]),
        "id_start": f"msg_{int(now.timestamp() * 1000):011X}{secrets.token_hex(4).upper()}",
    }
    # Nearly always nobody is in the way, and to look for rivals before each row would take a tenth of the batch.
    try:
        with transaction.atomic():
            ((made,),) = prepared(_ENROLL, about)
    except IntegrityError:
        ((made,),) = prepared(_ENROLL_THE_REST, about)
    return int(made)


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
