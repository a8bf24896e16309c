"""What a report rests on, counted in the database: rows that can be kept as JSON, and nothing that names anybody.

All that is about customers comes of one statement, from one walk over the events of a campaign: the sums agree with
one another, whatever happens meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import get_currency_precision
from django.conf import settings
from django.db import transaction

from notifications.conf import conf
from notifications.models import Campaign
from notifications.rules import looks
from notifications.types import MessageKind
from shop.core.db import rows

SETTLES = timedelta(minutes=15)
"""Orders are written to events some minutes after they were placed: a look waits for those of its last moments."""
GROUPS = 200
CAP = 0.995
DELAYS = 28
"""Parts of the window for orders, in which it is told how soon they came: six hours each of a week."""

OPTED_OUT = "opted_out"
Rows = list[dict[str, Any]]

# By the mail's own link, or where the provider offered to.
_OPTED_OUT = """
SELECT m.id, m.abandonment_id FROM notifications_suppression s
  JOIN notifications_message m ON m.public_id = substr(s.source, 6) WHERE s.source LIKE 'link:%%'
 UNION
SELECT m.id, m.abandonment_id FROM notifications_mailevent e
  JOIN notifications_message m ON m.id = e.message_id WHERE e.kind = 'unsubscribed'
"""
_OPT_OUTS_OF = f"SELECT count(*) FROM ({_OPTED_OUT}) o WHERE o.id = ANY(%(ids)s::bigint[])"  # noqa: S608 - put together from constants

# Each customer counts once, by the first enrolment; an erased one by the event. An order counts once the window of the
# event is over, so that late arms are not compared with early ones.
#
# A look is a place in the row of customers, and no moment: whoever opens the report, and when, sees the same four.
#
# Money is compared in one currency, at the shop's rates; where it names none, only what is in the currency with most.
# The greatest value that counts is worked out once: no single order decides. An order that was given back brings no
# margin; a code costs what it took off, the goods cost what the price before the code leaves without the margin.
_CUSTOMERS = """
WITH f AS MATERIALIZED (
       SELECT DISTINCT ON (coalesce(user_id, -id)) id, variant_id, is_holdout, enrolled_at, ordered_at, currency,
              order_minor - refunded_minor AS net, refunded_minor AS refunded,
              CASE WHEN refunded_minor = 0 THEN code_minor ELSE 0 END AS code, value_minor,
              enrolled_at < %(ripe)s AS is_ripe
         FROM notifications_abandonment WHERE campaign_id = %(campaign)s
        ORDER BY coalesce(user_id, -id), enrolled_at, id),
     arms AS (
       SELECT variant_id, is_holdout, currency, count(*) AS enrolled, count(*) FILTER (WHERE is_ripe) AS ripe,
              count(ordered_at) FILTER (WHERE is_ripe) AS ordered,
              coalesce(sum(net) FILTER (WHERE is_ripe), 0)::bigint AS net,
              coalesce(sum(refunded) FILTER (WHERE is_ripe), 0)::bigint AS refunded,
              coalesce(sum(code) FILTER (WHERE is_ripe), 0)::bigint AS code
         FROM f GROUP BY 1, 2, 3),
     events AS (
       SELECT variant_id, is_holdout, count(*) AS n FROM notifications_abandonment
        WHERE campaign_id = %(campaign)s GROUP BY 1, 2),
     main AS (
       SELECT CASE WHEN %(report)s <> '' THEN %(report)s
                   ELSE coalesce((SELECT currency FROM arms GROUP BY 1 ORDER BY sum(net) DESC, sum(enrolled) DESC, 1
                                   LIMIT 1), %(own)s) END AS currency),
     k AS (
       SELECT * FROM unnest(%(currencies)s::text[], %(factors)s::numeric[]) AS k(currency, factor)
        UNION ALL SELECT currency, 1 FROM main WHERE %(report)s = ''),
     m AS MATERIALIZED (
       SELECT f.id, f.variant_id, f.is_holdout, f.ordered_at, round(f.net * k.factor) AS net,
              round(f.code * k.factor) AS code, round(f.value_minor * k.factor)::bigint AS value
         FROM f JOIN k ON k.currency = f.currency WHERE f.is_ripe),
     capped AS (
       SELECT variant_id, is_holdout, id %% %(groups)s AS place, code,
              least(net, (SELECT percentile_disc(%(cap)s) WITHIN GROUP (ORDER BY net) FROM m)) AS net FROM m),
     spent AS (
       SELECT variant_id, is_holdout, place, sum(net)::bigint AS net,
              round(sum(net * %(margin)s - code * (10000 - %(margin)s)) / 10000)::bigint AS margin, count(*) AS n
         FROM capped GROUP BY 1, 2, 3 ORDER BY 1, 2, 3),
     looks AS (
       SELECT width_bucket(held_before, %(sizes)s::bigint[]) AS place, is_holdout, count(*) AS n,
              count(ordered_at) AS ordered
         FROM (SELECT is_holdout, ordered_at, count(*) FILTER (WHERE is_holdout)
                      OVER (ORDER BY enrolled_at, id) - is_holdout::int AS held_before
                 FROM f WHERE enrolled_at < %(settled)s) ripe GROUP BY 1, 2),
     days AS (
       SELECT (enrolled_at AT TIME ZONE %(zone)s)::date AS day, is_holdout, count(*) AS found,
              count(*) FILTER (WHERE is_ripe) AS n, count(ordered_at) FILTER (WHERE is_ripe) AS ordered
         FROM f GROUP BY 1, 2 ORDER BY 1, 2),
     delays AS (
       SELECT least(%(delays)s - 1, floor(extract(epoch FROM ordered_at - enrolled_at) * %(delays)s
                                          / extract(epoch FROM %(window)s::interval)))::int AS part,
              is_holdout, count(*) AS n
         FROM f WHERE is_ripe AND ordered_at IS NOT NULL GROUP BY 1, 2),
     edges AS (
       SELECT percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY value) AS at FROM m),
     bands AS (
       SELECT b.band, (SELECT at[b.band] FROM edges) AS least, b.is_holdout, count(*) AS n, count(ordered_at) AS ordered
         FROM (SELECT width_bucket(value, (SELECT at FROM edges)) AS band, is_holdout, ordered_at FROM m) b
        GROUP BY 1, 2, 3 ORDER BY 1, 3)
SELECT (SELECT currency FROM main),
       (SELECT count(*) FROM f WHERE is_ripe AND currency NOT IN (SELECT currency FROM k)),
       (SELECT json_agg(arms) FROM arms), (SELECT json_agg(events) FROM events), (SELECT json_agg(spent) FROM spent),
       (SELECT json_agg(looks) FROM looks), (SELECT json_agg(days) FROM days), (SELECT json_agg(delays) FROM delays),
       (SELECT json_agg(bands) FROM bands)
"""

# By arm, state and reason, of first mails with what came of them; and what was sent by the hour.
_MESSAGES = """
WITH found AS (
       SELECT a.variant_id, a.is_holdout, m.state, m.reason, m.step_no = 1 AS is_first,
              extract(isodow FROM m.sent_at AT TIME ZONE %(zone)s)::int AS weekday,
              extract(hour FROM m.sent_at AT TIME ZONE %(zone)s)::int AS hour,
              count(*) AS n, count(*) FILTER (WHERE %(opens)s AND m.shown -> 'counts_opens' IS NOT NULL) AS asked,
              count(*) FILTER (WHERE a.enrolled_at < %(ripe)s) AS ripe,
              count(a.ordered_at) FILTER (WHERE a.enrolled_at < %(ripe)s) AS ordered
         FROM notifications_message m JOIN notifications_abandonment a ON a.id = m.abandonment_id
        WHERE a.campaign_id = %(campaign)s AND m.kind = %(kind)s GROUP BY 1, 2, 3, 4, 5, 6, 7),
     states AS (
       SELECT variant_id, is_holdout, state, reason, sum(n)::bigint AS n, sum(asked)::bigint AS asked,
              coalesce(sum(ripe) FILTER (WHERE is_first), 0)::bigint AS ripe,
              coalesce(sum(ordered) FILTER (WHERE is_first), 0)::bigint AS ordered
         FROM found GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC),
     hours AS (
       SELECT weekday, hour, sum(n)::bigint AS sent, sum(ripe)::bigint AS ripe, sum(ordered)::bigint AS ordered
         FROM found WHERE weekday IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2)
SELECT (SELECT json_agg(states) FROM states), (SELECT json_agg(hours) FROM hours)
"""

# Each mail counts once, however often it was visited or told of.
_MAILS = f"""
SELECT json_agg(found) FROM (
       SELECT a.variant_id, t.kind, count(DISTINCT t.message_id) AS n
         FROM (SELECT message_id, kind FROM notifications_touch
                UNION ALL
               SELECT message_id, kind FROM notifications_mailevent WHERE kind <> 'unsubscribed'
                UNION ALL
               SELECT id, '{OPTED_OUT}' FROM ({_OPTED_OUT}) o) t
         JOIN notifications_message m ON m.id = t.message_id
         JOIN notifications_abandonment a ON a.id = m.abandonment_id
        WHERE a.campaign_id = %(campaign)s GROUP BY 1, 2) found
"""  # noqa: S608 - put together from constants

# The currency with most comes first.
_ATTRIBUTED = """
SELECT json_agg(found) FROM (
       SELECT model, currency, count(*) AS orders, sum(total_minor - refunded_minor)::bigint AS net,
              sum(refunded_minor)::bigint AS refunded
         FROM notifications_attribution WHERE campaign_id = %(campaign)s GROUP BY 1, 2 ORDER BY 4 DESC) found
"""

_SKIPPED = """
SELECT json_agg(found) FROM (
       SELECT reason, sum(count)::bigint AS n FROM notifications_skipcount
        WHERE campaign_id = %(campaign)s AND day > %(since)s GROUP BY 1 ORDER BY 2 DESC) found
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of each kind, as the statements above name their columns. Amounts are minor units."""

    currency: str
    left_out: int
    arms: Rows
    events: Rows
    spent: Rows
    looks: Rows
    days: Rows
    delays: Rows
    bands: Rows
    states: Rows
    hours: Rows
    mails: Rows
    attributed: Rows
    skipped: Rows


def count(*, campaign: Campaign, now: datetime, patience_seconds: int = 0) -> Counted:
    """Count what a report of a campaign rests on (five queries).

    It walks over all events of the campaign. `patience_seconds`: how long a statement may take, if not as usual.
    """
    about = {
        "campaign": campaign.pk,
        "ripe": now - campaign.outcome_window,
        "settled": now - campaign.outcome_window - SETTLES,
        "window": campaign.outcome_window,
        "sizes": list(looks.sizes(campaign.planned_n or 0)),
        "groups": GROUPS,
        "cap": CAP,
        "delays": DELAYS,
        "zone": settings.TIME_ZONE,
        "own": settings.PRICING.currency,
        "report": conf().report_currency,
        "currencies": [currency for currency, _ in _factors()],
        "factors": [factor for _, factor in _factors()],
        "margin": conf().margin_bp,
        "kind": MessageKind.RECOVERY.value,
        "opens": conf().count_opens,
        "since": now.date() - timedelta(days=30),
    }
    with transaction.atomic():
        if patience_seconds:
            rows("SELECT set_config('statement_timeout', %s, true)", [f"{patience_seconds}s"])
        ((currency, left_out, *customers),) = rows(_CUSTOMERS, about)
        ((states, hours),) = rows(_MESSAGES, about)
        singles = [rows(sql, about)[0][0] for sql in (_MAILS, _ATTRIBUTED, _SKIPPED)]
    lists = (found or [] for found in (*customers, states, hours, *singles))
    return Counted(currency, left_out, *lists)


def count_opt_outs_of(*, message_ids: Sequence[int]) -> int:
    """Count those of these mails whose readers opted out by them (one query)."""
    return int(rows(_OPT_OUTS_OF, {"ids": list(message_ids)})[0][0])


def _factors() -> list[tuple[str, float]]:
    """Give what a minor unit of each currency is worth in minor units of the one that the shop reports in."""
    own = conf().report_currency
    if not own:
        return []
    digits = get_currency_precision(own)
    rates = ((own, 1.0), *conf().rates)
    return [(currency, rate * 10.0 ** (digits - get_currency_precision(currency))) for currency, rate in rates]
