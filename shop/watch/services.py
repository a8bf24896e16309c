"""Run the checks, repair what can be, and keep alerts in step with what is found."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import structlog
from django.db import transaction

from shop.core.errors import Refusal
from shop.core.words import words
from shop.watch.models import Alert
from shop.watch.sections import SECTIONS
from shop.watch.types import Finding, Outcome, Section

log = structlog.get_logger(__name__)


def check(*, sections: Collection[str] = (), is_whole: bool = True, may_fix: bool = False) -> tuple[Outcome, ...]:
    """Check these sections, or all, and give what was found; with `may_fix`, repaired where that is possible.

    :raises ValueError: if there is no such section.
    """
    known = {section.name: section for section in SECTIONS}
    unknown = sorted(set(sections) - set(known))
    if unknown:
        msg = f"no such section: {', '.join(unknown)}"
        raise ValueError(msg)
    chosen = [section for name, section in known.items() if not sections or name in sections]
    return tuple(
        _fixed(section, finding) if may_fix else Outcome(finding, is_fixed=False)
        for section in chosen
        for finding in section.find(is_whole)
    )


def _fixed(section: Section, finding: Finding) -> Outcome:
    if section.fix is None:
        return Outcome(finding, is_fixed=False, done="has no repair")
    try:
        return Outcome(finding, is_fixed=True, done=section.fix(finding))
    except Refusal as refusal:
        return Outcome(finding, is_fixed=False, done=f"{refusal.code}: {words(refusal).detail}")


@transaction.atomic
def keep_alerts(*, findings: Collection[Finding], now: datetime) -> int:
    """Open an alert for each new finding, bring open ones up to date, end those that are not found any more.

    Gives how many are open then. Run by two at once, the second waits and finds the first one's alerts.
    """
    found = {(finding.section, finding.subject): finding for finding in findings}
    for alert in Alert.objects.select_for_update().filter(ended_at__isnull=True).order_by("id"):
        finding = found.pop((alert.section, alert.subject), None)
        if finding is None:
            alert.ended_at = now
        else:
            alert.detail, alert.last_seen_at = finding.detail[:300], now
        alert.save(update_fields=["ended_at", "detail", "last_seen_at"])
    for finding in found.values():
        log.error("alert_raised", section=finding.section, subject=finding.subject, detail=finding.detail)
    Alert.objects.bulk_create(
        [
            Alert(
                section=finding.section,
                subject=finding.subject,
                detail=finding.detail[:300],
                first_seen_at=now,
                last_seen_at=now,
            )
            for finding in found.values()
        ],
        ignore_conflicts=True,
    )
    return Alert.objects.filter(ended_at__isnull=True).count()
