"""Follow events to their end: the next mail of a sequence, and the time when they are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from notifications.models import Abandonment
from notifications.types import CampaignState, EventState, MessageKind, MessageState, Template
from shop.core.db import statement

BATCH = 1_000
SLACK = timedelta(minutes=10)
"""Orders become visible some time after the moment that they bear."""

# The step after the last one that ended as mail, ghost or unknown; `delay` counts from then.
_NEXT_STEPS = """
INSERT INTO notifications_message
       (kind, template_key, order_number, payment_id, public_id, abandonment_id, step_id, step_no, state, reason,
        recipient, recipient_hash, attempts, deferrals, created_at, due_at, late_after)
SELECT %(kind)s, %(template)s, '', '', 'msg_' || upper(left(replace(gen_random_uuid()::text, '-', ''), 24)),
       e.id, s.id, s.number, 'due', '', '', '', 0, 0, %(now)s, d.at, d.at + c.max_lateness
  FROM notifications_abandonment e
  JOIN notifications_campaign c ON c.id = e.campaign_id AND c.state = %(running)s
 CROSS JOIN LATERAL (SELECT m.step_no, m.state, COALESCE(m.sent_at, m.handed_at, m.due_at) AS ended_at
                       FROM notifications_message m WHERE m.abandonment_id = e.id
                      ORDER BY m.step_no DESC LIMIT 1) l
  JOIN notifications_step s ON s.variant_id = e.variant_id AND s.number = l.step_no + 1
 CROSS JOIN LATERAL (SELECT l.ended_at + s.delay AS at) d
 WHERE e.state = 'open' AND l.state = ANY(%(ended)s) AND s.number <= c.max_messages_per_event
    ON CONFLICT DO NOTHING
RETURNING id
"""


def close_events(*, now: datetime) -> int:
    """End the events whose window is over; give their number. Orders of the last minutes are waited for."""
    over = Abandonment.objects.filter(
        state=EventState.OPEN.value, enrolled_at__lt=now - SLACK - F("campaign__outcome_window")
    )
    ids = list(over.order_by("enrolled_at", "id").values_list("pk", flat=True)[: 10 * BATCH])
    return Abandonment.objects.filter(pk__in=ids, closed_at__isnull=True).update(
        state=EventState.EXPIRED.value, close_reason="window_over", closed_at=now
    )


def queue_next_steps(*, now: datetime) -> int:
    """Write the next message of sequences whose last one has ended; give their number. Safe to run twice at once."""
    made = statement(
        _NEXT_STEPS,
        {
            "now": now,
            "kind": MessageKind.RECOVERY.value,
            "template": Template.REMINDER.value,
            "running": CampaignState.RUNNING.value,
            "ended": [MessageState.SENT.value, MessageState.GHOST.value, MessageState.UNKNOWN.value],
        },
    )
    return len(made)
