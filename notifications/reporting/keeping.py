"""The report as it was last counted: a page reads one row, however many events there are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from notifications.models import Campaign, StoredReport
from notifications.reporting.counting import Counted
from shop.core.db import statement

VERSION = 1
"""Of what is counted: raise it with the statements, so that what was kept before is counted anew."""

# Of two who count at once the later count stays.
_KEEP = """
INSERT INTO notifications_storedreport AS r (campaign_id, counted_at, seconds, content)
VALUES (%(campaign)s, %(counted_at)s, %(seconds)s, %(content)s::jsonb)
    ON CONFLICT (campaign_id) DO UPDATE
   SET counted_at = excluded.counted_at, seconds = excluded.seconds, content = excluded.content
 WHERE r.counted_at <= excluded.counted_at
RETURNING campaign_id
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was counted, when, and how long it took."""

    counted: Counted
    counted_at: datetime
    seconds: float


def keep(*, campaign_id: int, counted: Counted, counted_at: datetime, seconds: float) -> bool:
    """Keep what was counted, unless a later count is there; tell whether it was kept."""
    about = {
        "campaign": campaign_id,
        "counted_at": counted_at,
        "seconds": seconds,
        "content": json.dumps({"version": VERSION, **asdict(counted)}),
    }
    return bool(statement(_KEEP, about))


def kept(campaign: Campaign) -> Kept | None:
    """Give what was counted last (one query, none if it was joined); None before the first time.

    What was counted in another way is none.
    """
    try:
        row = campaign.stored_report
    except StoredReport.DoesNotExist:
        return None
    content = dict(row.content)
    if content.pop("version", None) != VERSION:
        return None
    return Kept(Counted(**content), row.counted_at, row.seconds)
