"""Write what a search found, batch by batch and in order: while one is written, the next one is read."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from cart.idle import IdleCart
from notifications import rules
from notifications.models import Campaign
from notifications.rules import Weighted
from notifications.types import MessageKind, MessageState, Template
from shop.core.db import array_text, prepared, rows

STATEMENT_TIMEOUT = "30s"
"""Of the statements of one batch: they write thousands of rows, and no page waits for them."""
_LOCK = 7_104_105  # any number that no other advisory lock has

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


@dataclass(frozen=True, slots=True)
class Batch:
    """What was found in one go, judged and with its arms: ready to be written."""

    campaign_id: int
    now: datetime
    kept: Mapping[str, Any] | None
    """The events to be written, as `_ENROLL` names their columns; None: nobody is enrolled."""
    skipped: Mapping[str, int]
    """Carts that are left alone, by reason."""
    key: str
    """Of the cursor."""
    place: tuple[datetime, int]
    """The last cart that was looked at."""


class Writer:
    """Writes batches in their order: the last one of a search at once, those before it in a thread of its own.

    At most one waits. What is read meanwhile does not know of it yet: constraints see to what both would enroll. The
    cursor moves with the batch that it stands behind, so that whatever ends a search, nothing between is lost.
    """

    def __init__(self) -> None:
        self.enrolled = 0
        self.is_alone = True
        """False: another process writes for this campaign, and goes on."""
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[int | None] | None = None

    def put(self, batch: Batch, *, is_last: bool) -> None:
        """Write a batch: the last one at once, others while the caller reads on. Waits for the one before."""
        self.settle()
        if not self.is_alone:
            return
        # Inside a transaction another connection would not see what is there.
        if is_last or connection.in_atomic_block:
            self._take(write(batch))
            return
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="enrolling")
        self._pending = self._pool.submit(write, batch)

    def settle(self) -> None:
        """Wait for what is being written; its error is raised here."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._take(pending.result())

    def close(self) -> None:
        """End the thread and its connection, after what it writes."""
        if self._pool is not None:
            self._pool.submit(_close_connection)
            self._pool.shutdown()

    def _take(self, made: int | None) -> None:
        self.is_alone = made is not None
        self.enrolled += made or 0


def batch_of(
    campaign: Campaign,
    found: Sequence[IdleCart],
    kept: Sequence[IdleCart],
    *,
    skipped: Mapping[str, int],
    variants: Sequence[Weighted],
    key: str,
    now: datetime,
) -> Batch:
    """Put together what is to be written: arms by chance, and each column as the text of an array."""
    last = found[-1]
    return Batch(
        campaign_id=campaign.pk,
        now=now,
        kept=_columns(campaign, kept, variants, now) if kept else None,
        skipped=skipped,
        key=key,
        place=(last.last_activity_at, last.record_id),
    )


def write(batch: Batch) -> int | None:
    """Write a batch and move the cursor, all or nothing; give how many were enrolled.

    None: another process is at this campaign. That only saves work, the constraints are what nobody gets past.
    """
    with transaction.atomic(durable=not connection.in_atomic_block):
        # What a crash takes of a batch, the next search finds again: it need not wait for the disk.
        rows(
            "SELECT set_config('statement_timeout', %s, true), set_config('synchronous_commit', 'off', true)",
            [STATEMENT_TIMEOUT],
        )
        if not rows("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, batch.campaign_id])[0][0]:
            return None
        made = _insert(batch.kept) if batch.kept else 0
        has_moved = rows(_MOVE_CURSOR, {"key": batch.key, "at": batch.place[0], "id": batch.place[1]})
        if batch.skipped and has_moved:  # otherwise another process has counted them
            about = {"campaign": batch.campaign_id, "day": batch.now.date()}
            rows(_COUNT_SKIPS, {**about, "reasons": list(batch.skipped), "counts": list(batch.skipped.values())})
    return made


def _close_connection() -> None:
    connection.close()  # that of the thread which runs this


def _insert(about: Mapping[str, Any]) -> int:
    # Nearly always nobody is in the way, and to look for rivals before each row would take a tenth of the batch.
    try:
        with transaction.atomic():
            ((made,),) = prepared(_ENROLL, about)
    except IntegrityError:
        ((made,),) = prepared(_ENROLL_THE_REST, about)
    return int(made)


def _columns(
    campaign: Campaign, kept: Sequence[IdleCart], variants: Sequence[Weighted], now: datetime
) -> Mapping[str, Any]:
    user_ids = [cart.user_id for cart in kept]
    return {
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
