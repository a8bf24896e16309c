"""Tell programs that follow every link of a mail from its readers: they also follow the one that no reader sees."""

from __future__ import annotations

from datetime import datetime, timedelta

from notifications.models import Message
from notifications.types import AttributionModel, TouchKind
from shop.core.db import statement

NEAR = timedelta(seconds=5)
"""What came from a source so shortly before or after it fell into the trap was a program's."""
KEPT = timedelta(minutes=1)
"""Sources are of no use afterwards."""

_TRAPPED = """
INSERT INTO notifications_touch (message_id, kind, visitor, source, at)
VALUES (%(message_id)s, %(trap)s, %(source)s, %(source)s, %(now)s)
    ON CONFLICT (message_id, kind, visitor) DO UPDATE SET at = excluded.at, source = excluded.source
RETURNING id
"""

# An order may have been given to such a click already: it is taken back, and the next run, which looks at the orders of
# the last minutes once more, gives it to whatever else led to it.
_PART = """
WITH gone AS (
       DELETE FROM notifications_touch t
        WHERE t.source = %(source)s AND t.kind IN (%(click)s, %(open)s)
          AND EXISTS (SELECT 1 FROM notifications_touch x
                       WHERE x.source = t.source AND x.kind = %(trap)s
                         AND x.at BETWEEN t.at - %(near)s::interval AND t.at + %(near)s::interval)
    RETURNING t.message_id, t.kind, t.visitor, t.source, t.at),
     taken_back AS (
       DELETE FROM notifications_attribution a USING gone g
        WHERE a.message_id = g.message_id AND a.model = %(by_click)s AND g.kind = %(click)s AND a.at >= g.at)
INSERT INTO notifications_touch (message_id, kind, visitor, source, at)
SELECT g.message_id, CASE g.kind WHEN %(click)s THEN %(scan)s ELSE %(machine_open)s END, g.visitor, g.source, g.at
  FROM gone g
    ON CONFLICT DO NOTHING
RETURNING id
"""

_FORGET = """
WITH done AS (
       DELETE FROM notifications_touch WHERE source <> '' AND kind = %(trap)s AND at < %(before)s)
UPDATE notifications_touch SET source = '' WHERE source <> '' AND kind <> %(trap)s AND at < %(before)s
RETURNING id
"""


def note_trap(*, message: Message, source: str, now: datetime) -> None:
    """Write down that the link that no reader sees was followed, and count what else came from there as a program's.

    Nothing follows where the source is not known.
    """
    if source:
        about = {"message_id": message.pk, "source": source, "now": now, "trap": TouchKind.TRAP.value}
        statement(_TRAPPED, about)
        part_programs(source=source)


def part_programs(*, source: str) -> None:
    """Count clicks and opens from a source as a program's where they are near its fall into a trap (one statement).

    Whoever writes a click or a trap calls it afterwards, once that is committed: of two at one moment the second sees
    the first. Safe to repeat.
    """
    statement(
        _PART,
        {
            "source": source,
            "near": NEAR,
            "trap": TouchKind.TRAP.value,
            "click": TouchKind.CLICK.value,
            "scan": TouchKind.SCAN.value,
            "open": TouchKind.OPEN.value,
            "machine_open": TouchKind.MACHINE_OPEN.value,
            "by_click": AttributionModel.CLICK.value,
        },
    )


def forget_sources(*, now: datetime) -> int:
    """Forget where visits came from, once that can tell nothing more; give the number of visits. Traps go with it."""
    return len(statement(_FORGET, {"trap": TouchKind.TRAP.value, "before": now - KEPT}))
