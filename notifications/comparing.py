"""Reads of what the judgment of a campaign rests on: its looks, what customers spent, who opted out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.models import Campaign
from notifications.rules import bootstrap, looks
from notifications.rules.bootstrap import Group
from notifications.rules.looks import Look
from notifications.rules.statistics import Interval
from shop.core.db import rows

SETTLES = timedelta(minutes=15)
"""Orders are written to events some minutes after they were placed: a look waits for those of its last moments."""
GROUPS = 200
CAP = 0.995

OPTED_OUT = "opted_out"

# By the mail's own link, or where the provider offered to.
_OPTED_OUT = """
SELECT m.id, m.abandonment_id FROM notifications_suppression s
  JOIN notifications_message m ON m.public_id = substr(s.source, 6) WHERE s.source LIKE 'link:%%'
 UNION
SELECT m.id, m.abandonment_id FROM notifications_mailevent e
  JOIN notifications_message m ON m.id = e.message_id WHERE e.kind = 'unsubscribed'
"""
_MAILS = f"""
SELECT a.variant_id, t.kind, count(DISTINCT t.message_id)
  FROM (SELECT message_id, kind FROM notifications_touch
         UNION ALL
        SELECT message_id, kind FROM notifications_mailevent WHERE kind <> 'unsubscribed'
         UNION ALL
        SELECT id, '{OPTED_OUT}' FROM ({_OPTED_OUT}) o) t
  JOIN notifications_message m ON m.id = t.message_id
  JOIN notifications_abandonment a ON a.id = m.abandonment_id
 WHERE a.campaign_id = %(campaign)s GROUP BY 1, 2
"""  # noqa: S608 - put together from constants
_OPT_OUTS_OF = f"SELECT count(*) FROM ({_OPTED_OUT}) o WHERE o.id = ANY(%(ids)s::bigint[])"  # noqa: S608

# Each customer counts once, by the first enrolment; an erased one by the event.
_FIRST = """
SELECT DISTINCT ON (coalesce(user_id, -id)) id, variant_id, is_holdout, enrolled_at, ordered_at,
       order_minor - refunded_minor AS net_minor, currency
  FROM notifications_abandonment WHERE campaign_id = %(campaign)s
 ORDER BY coalesce(user_id, -id), enrolled_at, id
"""

# A look is a place in the row of customers, and no moment: whoever opens the report, and when, sees the same four.
_LOOKS = f"""
WITH ripe AS (
     SELECT is_holdout, ordered_at,
            count(*) FILTER (WHERE is_holdout) OVER (ORDER BY enrolled_at, id) - is_holdout::int AS held_before
       FROM ({_FIRST}) f WHERE enrolled_at < %(ripe)s)
SELECT width_bucket(held_before, %(sizes)s::bigint[]), is_holdout, count(*), count(ordered_at) FROM ripe GROUP BY 1, 2
"""  # noqa: S608 - put together from constants

# The greatest value that counts is a sub-query of its own: PostgreSQL works it out once, whatever it expects of `f`.
_SPENT = f"""
WITH f AS MATERIALIZED (
     SELECT * FROM ({_FIRST}) f WHERE enrolled_at < %(ripe)s AND currency = %(currency)s)
SELECT f.variant_id, f.is_holdout, f.id %% %(groups)s,
       sum(least(f.net_minor, (SELECT percentile_disc(%(cap)s) WITHIN GROUP (ORDER BY net_minor) FROM f)))::bigint,
       count(*)
  FROM f GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - put together from constants


def list_looks(*, campaign: Campaign, now: datetime) -> tuple[Look, ...]:
    """Take the looks whose customers have all had their time to order, in order (one query)."""
    sizes = looks.sizes(campaign.planned_n or 0)
    if not sizes:
        return ()
    ripe = now - campaign.outcome_window - SETTLES
    found = rows(_LOOKS, {"campaign": campaign.pk, "ripe": ripe, "sizes": list(sizes)})
    parts = {(place, is_holdout): (int(n), int(hits)) for place, is_holdout, n, hits in found}
    taken, control, mailed = [], (0, 0), (0, 0)
    for place, size in enumerate(sizes):
        control = _plus(control, parts.get((place, True), (0, 0)))
        mailed = _plus(mailed, parts.get((place, False), (0, 0)))
        if control[0] < size:
            break
        taken.append(Look(number=place + 1, hits=mailed[1], n=mailed[0], control_hits=control[1], control_n=control[0]))
    return tuple(taken)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the customers of a campaign spent, in one currency, in groups that chance made."""

    currency: str
    seed: int
    groups: Mapping[tuple[int, bool], Mapping[int, Group]]
    """By variant and hold-out."""

    def more_than_control(self, variant_ids: Collection[int]) -> Interval | None:
        """Give how much more a customer of these variants spent than one of the hold-out, in minor units."""
        held = {pk for pk, is_holdout in self.groups if is_holdout}
        control = self._of(held, is_holdout=True)
        return bootstrap.mean_difference(self._of(variant_ids, is_holdout=False), control, seed=self.seed)

    def _of(self, variant_ids: Collection[int], *, is_holdout: bool) -> list[Group]:
        sums, counts = Counter[int](), Counter[int]()
        for pk in variant_ids:
            for place, (minor, n) in self.groups.get((pk, is_holdout), {}).items():
                sums[place] += minor
                counts[place] += n
        return [(sums[place], counts[place]) for place in sorted(counts)]


def find_spent(*, campaign: Campaign, currency: str, now: datetime) -> Spent:
    """Read what customers of one currency spent, without refunds (one query).

    Values beyond the 99.5th percentile count as that: no single order decides.
    """
    params = {
        "campaign": campaign.pk,
        "ripe": now - campaign.outcome_window,
        "currency": currency,
        "cap": CAP,
        "groups": GROUPS,
    }
    groups: dict[tuple[int, bool], dict[int, Group]] = {}
    for variant_id, is_holdout, place, minor, n in rows(_SPENT, params):
        groups.setdefault((variant_id, is_holdout), {})[place] = (int(minor), int(n))
    return Spent(currency=currency, seed=campaign.pk, groups=groups)


def count_mails(*, campaign: Campaign) -> Counter[tuple[int, str]]:
    """Count the mails of each variant by what came of them: visits, the provider's news, opt-outs (one query).

    Each counts once, however often it was visited or told of.
    """
    return Counter({(pk, kind): count for pk, kind, count in rows(_MAILS, {"campaign": campaign.pk})})


def count_opt_outs_of(*, message_ids: Sequence[int]) -> int:
    """Count those of these mails whose readers opted out by them (one query)."""
    return int(rows(_OPT_OUTS_OF, {"ids": list(message_ids)})[0][0])


def _plus(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]
