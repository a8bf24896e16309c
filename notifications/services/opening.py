"""Note that a mail was opened, where its reader has agreed to that."""

from __future__ import annotations

from datetime import datetime

from notifications import rules
from notifications.conf import conf
from notifications.services import trapping
from notifications.types import Topic, TouchKind
from shop.core.db import statement

# The reader is asked again: who took the leave back meanwhile is noted no more, whatever their old mails do.
_NOTE = """
INSERT INTO notifications_touch (message_id, kind, visitor, source, at)
SELECT m.id, CASE WHEN %(is_machine)s OR m.handed_at > %(too_soon)s THEN %(machine)s ELSE %(person)s END,
       '', %(source)s, %(now)s
  FROM notifications_message m
  JOIN notifications_abandonment a ON a.id = m.abandonment_id
 CROSS JOIN LATERAL (SELECT p.is_granted FROM notifications_preference p
                      WHERE p.user_id = a.user_id AND p.topic = %(topic)s
                      ORDER BY p.collected_at DESC, p.id DESC LIMIT 1) said
 WHERE m.link_hash = %(link_hash)s AND said.is_granted
    ON CONFLICT DO NOTHING
RETURNING id
"""


def note_open(*, link_hash: str, user_agent: str, source: str, now: datetime) -> bool:
    """Remember that somebody or something opened a mail, once each; False if nothing was noted.

    `source`: the hash of the network address; empty if that is not known.
    """
    if not conf().count_opens:
        return False
    params = {
        "link_hash": link_hash,
        "is_machine": rules.is_machine(user_agent),
        "too_soon": now - rules.TOO_SOON,
        "machine": TouchKind.MACHINE_OPEN.value,
        "person": TouchKind.OPEN.value,
        "topic": Topic.OPEN_TRACKING.value,
        "source": source,
        "now": now,
    }
    is_noted = bool(statement(_NOTE, params))
    if is_noted and source:
        trapping.part_programs(source=source)
    return is_noted
