"""Reads for those who watch over stock: do the counters agree with reservations and ledger, how old is what waits."""

from __future__ import annotations

from collections.abc import Collection

from inventory import store
from inventory.places import list_place_drifts, list_places
from inventory.types import Holder, LedgerLine, StockDrift, StockGauges, StockPanel
from shop.core.db import rows

# One statement sees one moment, and whoever moves units moves counter, lines and ledger together: a difference is never
# somebody half done. What the ledger says is its last line, or, where all of it is summed up, its sum.
_DRIFTS = """
WITH live AS MATERIALIZED (
       SELECT l.sku_id, sum(l.quantity)::int AS units, count(*) FILTER (WHERE NOT l.is_live)::int AS strays
         FROM inventory_reservation r JOIN inventory_reservationline l ON l.reservation_id = r.id
        WHERE r.state = 'soft' GROUP BY l.sku_id),
     over AS MATERIALIZED (
       SELECT l.sku_id, count(*)::int AS strays
         FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
        WHERE l.is_live AND r.state <> 'soft' GROUP BY l.sku_id),
     found AS (
       SELECT s.sku_id, s.on_hand, coalesce({booked}, 0) AS booked, s.reserved, coalesce(live.units, 0) AS live,
              coalesce(live.strays, 0) + coalesce(over.strays, 0) AS strays
         FROM inventory_stockitem s
         LEFT JOIN live ON live.sku_id = s.sku_id
         LEFT JOIN over ON over.sku_id = s.sku_id
         LEFT JOIN {ledger} ON true
        WHERE %(sku_ids)s::text[] IS NULL OR s.sku_id = ANY(%(sku_ids)s))
SELECT sku_id, on_hand, booked, reserved, live, strays FROM found
 WHERE on_hand <> booked OR reserved <> live OR strays > 0
 ORDER BY sku_id
"""
_LAST_LINE = _DRIFTS.format(
    booked="e.on_hand_after",
    ledger="""LATERAL (SELECT on_hand_after FROM inventory_stockentry
                       WHERE sku_id = s.sku_id ORDER BY id DESC LIMIT 1) e""",
)
_WHOLE = _DRIFTS.format(
    booked="e.units",
    ledger="LATERAL (SELECT sum(delta)::int AS units FROM inventory_stockentry WHERE sku_id = s.sku_id) e",
)

_GAUGES = """
SELECT count(*), coalesce(sum(u.units), 0),
       count(*) FILTER (WHERE r.expires_at <= clock_timestamp()),
       count(*) FILTER (WHERE r.pinned_until > clock_timestamp()),
       coalesce(extract(epoch FROM clock_timestamp() - min(r.created_at)), 0),
       coalesce(extract(epoch FROM clock_timestamp() - min(r.expires_at)
         FILTER (WHERE r.expires_at <= clock_timestamp())), 0),
       (SELECT count(*) FROM inventory_stockitem WHERE on_hand <= reserved),
       (SELECT extract(epoch FROM clock_timestamp() - finished_at) FROM inventory_sweeprecord WHERE name = 'sweep')
  FROM inventory_reservation r
  LEFT JOIN LATERAL (
       SELECT sum(l.quantity) AS units FROM inventory_reservationline l WHERE l.reservation_id = r.id) u ON true
 WHERE r.state = 'soft'
"""

MANY_RENEWALS = 3
"""A reservation that was renewed more often keeps stock from others for longer than a purchase takes."""
MOST_HOLDERS = 100
LEDGER_LINES = 10

_PANEL = """
WITH held AS MATERIALIZED (
       SELECT l.quantity, r.expires_at, r.pinned_until > clock_timestamp() AS is_pinned,
              r.expires_at <= clock_timestamp() AS is_overdue
         FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
        WHERE l.sku_id = %(sku_id)s AND l.is_live),
     next AS (SELECT min(expires_at) AS at FROM held WHERE NOT is_overdue AND is_pinned IS NOT TRUE)
SELECT s.on_hand, s.reserved,
       (SELECT coalesce(sum(quantity), 0) FROM held WHERE is_pinned),
       (SELECT coalesce(sum(quantity), 0) FROM held WHERE is_overdue),
       (SELECT count(*) FROM held),
       next.at, (SELECT sum(quantity) FROM held WHERE expires_at = next.at)
  FROM inventory_stockitem s, next WHERE s.sku_id = %(sku_id)s
"""
_HOLDERS = """
SELECT r.id, r.owner, l.quantity, r.created_at, r.expires_at, r.renewals,
       coalesce(r.pinned_until > clock_timestamp(), false), r.expires_at <= clock_timestamp(),
       (SELECT coalesce(string_agg(x.quantity || ' ' || c.code, ', ' ORDER BY c.position, c.id), '')
          FROM inventory_reservationshare x JOIN inventory_location c ON c.id = x.location_id WHERE x.line_id = l.id)
  FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
 WHERE l.sku_id = %(sku_id)s AND l.is_live ORDER BY r.expires_at, r.id LIMIT %(limit)s
"""
_LEDGER = """
SELECT e.at, e.delta, e.on_hand_after, e.kind, e.reason, e.note, e.by, e.reference, coalesce(c.code, '')
  FROM inventory_stockentry e LEFT JOIN inventory_location c ON c.id = e.location_id
 WHERE e.sku_id = %(sku_id)s ORDER BY e.id DESC LIMIT %(limit)s
"""


def list_drifts(*, sku_ids: Collection[str] | None = None, is_whole: bool = True) -> tuple[StockDrift, ...]:
    """List the SKUs whose counters are not what reservations and ledger say, of all SKUs or of these (one query).

    With `is_whole` the ledger is summed up from its beginning; else its last line counts, which costs the same however
    long the ledger is.
    """
    params = {"sku_ids": None if sku_ids is None else sorted(set(sku_ids))}
    return tuple(StockDrift(*row) for row in rows(_WHOLE if is_whole else _LAST_LINE, params))


def gauges() -> StockGauges:
    """Measure what is reserved and how old it is (one query)."""
    ((live, units, overdue, pinned, oldest, oldest_overdue, empty, swept),) = rows(_GAUGES)
    return StockGauges(
        live=int(live),
        live_units=int(units),
        overdue=int(overdue),
        pinned=int(pinned),
        oldest_seconds=float(oldest),
        oldest_overdue_seconds=float(oldest_overdue),
        unavailable_skus=int(empty),
        swept_seconds=None if swept is None else float(swept),
    )


def list_live_owners(*, older_than_seconds: int) -> tuple[tuple[str, str], ...]:
    """List soft reservations that are older, each with its owner, oldest first (one query)."""
    return tuple(
        (reservation_id, owner)
        for reservation_id, owner in rows(
            "SELECT id, owner FROM inventory_reservation WHERE state = 'soft'"
            " AND created_at < clock_timestamp() - make_interval(secs => %(seconds)s) ORDER BY created_at, id",
            {"seconds": older_than_seconds},
        )
    )


def refusals() -> dict[str, int]:
    """Give for each SKU how many reservations were refused for want of it, as far as the cache remembers."""
    return store.totals(store.Event.REFUSED)


def most_contended(*, limit: int = 5) -> tuple[tuple[str, int, int], ...]:
    """List the SKUs refused most often within the last hour: SKU, refusals, units reserved now (one query, if any)."""
    refused = sorted(store.all_recent(store.Event.REFUSED).items(), key=lambda one: (-one[1], one[0]))[:limit]
    if not refused:
        return ()
    reserved = dict(
        rows(
            "SELECT sku_id, sum(reserved)::int FROM inventory_stockitem"
            " WHERE sku_id = ANY(%(sku_ids)s) GROUP BY sku_id",
            {"sku_ids": [sku_id for sku_id, _ in refused]},
        )
    )
    return tuple((sku_id, times, reserved.get(sku_id, 0)) for sku_id, times in refused)


def count_much_renewed() -> int:
    """Count the live reservations that were renewed more than `MANY_RENEWALS` times (one query)."""
    found = rows(
        "SELECT count(*) FROM inventory_reservation WHERE state = 'soft' AND renewals > %(more_than)s",
        {"more_than": MANY_RENEWALS},
    )
    return int(found[0][0])


def waits() -> dict[str, int]:
    """Give for each SKU how many reservations with it had to wait, as far as the cache remembers."""
    return store.totals(store.Event.WAITED)


def units_held(*, owners: Collection[str]) -> dict[str, int]:
    """Count the units of the live reservation of each of these owners who has one (one query)."""
    found = rows(
        "SELECT r.owner, sum(l.quantity)::int FROM inventory_reservation r"
        " JOIN inventory_reservationline l ON l.reservation_id = r.id"
        " WHERE r.owner = ANY(%(owners)s) AND r.state = 'soft' AND r.expires_at > clock_timestamp() GROUP BY r.owner",
        {"owners": sorted(set(owners))},
    )
    return {owner: int(units) for owner, units in found}


def stock_panel(*, sku_id: str) -> StockPanel | None:
    """Show all there is to know about one SKU's stock; None if it has no stock item (six queries)."""
    found = rows(_PANEL, {"sku_id": sku_id})
    if not found:
        return None
    ((on_hand, reserved, pinned, overdue, count, back_at, back_units),) = found
    held = rows(_HOLDERS, {"sku_id": sku_id, "limit": MOST_HOLDERS})
    ledger = rows(_LEDGER, {"sku_id": sku_id, "limit": LEDGER_LINES})
    return StockPanel(
        sku_id=sku_id,
        on_hand=on_hand,
        reserved=reserved,
        available=on_hand - reserved,
        pinned_units=int(pinned),
        overdue_units=int(overdue),
        drift=next(iter(list_drifts(sku_ids=[sku_id])), None),
        holders=tuple(Holder(*row) for row in held),
        holder_count=int(count),
        next_back_units=int(back_units or 0),
        next_back_at=back_at,
        ledger=tuple(LedgerLine(*row) for row in ledger),
        refused=store.recent(store.Event.REFUSED, sku_id),
        places=list_places(sku_id=sku_id),
        place_drifts=list_place_drifts(sku_ids=[sku_id]),
    )
