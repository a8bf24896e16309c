"""Writes snapshots of carts into PostgreSQL: the newest of each cart, in one statement, never over a newer one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from cart import store
from cart.codec import LineRow, decode_lines, from_micros, line_to_row
from cart.conf import conf
from cart.models import DeadLetter
from cart.offers import currency
from cart.stream import Entry

MAX_SNAPSHOT_CHARACTERS = 256_000
MAX_KEPT_CHARACTERS = 64_000
_MAX_OWNER = 80
_MAX_REASON = 20
_MAX_MERGE_ID = 300
_MARKS = ("@acks", "@notice", "@receipt", "@merges", "@question", "@codes", "@cleared", "@merged_into", "@merge_id")
"""The cart's own fields that a record keeps; as in the scripts."""
_STATES = ("active", "frozen", "merged")

_UPSERT = """
INSERT INTO cart_cartrecord AS r
       (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor, currency,
        last_activity_at, state)
SELECT e.owner, e.user_id, e.version, e.content_version, e.lines, e.saved, e.marks, '[]'::jsonb, e.units,
       e.value_minor, e.currency, e.last_activity_at, e.state
  FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb[], %s::jsonb[], %s::jsonb[],
              %s::integer[], %s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
       AS e(owner, user_id, version, content_version, lines, saved, marks, units, value_minor, currency,
            last_activity_at, state)
 ORDER BY e.owner
    ON CONFLICT (owner) WHERE state <> 'converted' DO UPDATE
   SET version = excluded.version, content_version = excluded.content_version, lines = excluded.lines,
       saved = excluded.saved, marks = excluded.marks, units = excluded.units, value_minor = excluded.value_minor,
       currency = excluded.currency, last_activity_at = excluded.last_activity_at, state = excluded.state,
       recorded_at = now()
 WHERE r.version < excluded.version AND r.state <> 'merged'
"""

_MERGES = ("merge", "answer")
_NOTE = """
INSERT INTO cart_cartevent (owner, version, reason, at, units, value_minor, quantities, saved, merge_id, policy,
                            receipt)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s::integer[], %s::bigint[], %s::jsonb[],
                     %s::jsonb[], %s::text[], %s::text[], %s::jsonb[])
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cart as an event tells it."""

    owner: str
    version: int
    content_version: int
    lines: tuple[LineRow, ...]
    saved: tuple[LineRow, ...]
    marks: Mapping[str, str]
    last_activity_at: datetime
    state: str
    reason: str
    undone: str = ""
    """Id of the merge that this change undid."""

    @property
    def user_id(self) -> int | None:
        """The customer, None for a guest."""
        kind, _, key = self.owner.partition(":")
        return int(key) if kind == "u" else None


def read_entry(entry: Entry) -> Snapshot:
    """Read an event.

    :raises ValueError: if it is not one that the change script wrote.
    """
    fields = entry.fields or {}
    try:
        owner, text = fields["owner"], fields["snapshot"]
        if len(text) > MAX_SNAPSHOT_CHARACTERS or not 3 <= len(owner) <= _MAX_OWNER:  # noqa: PLR2004 - "g:" and a key
            raise ValueError("too long or too short")  # noqa: TRY301 - one door for all that is wrong
        content: dict[str, Any] = json.loads(text)
        state = content["state"]
        if state not in _STATES:
            raise ValueError(f"unknown state {state!r}")  # noqa: TRY301
        return Snapshot(
            owner=owner,
            version=int(fields["version"]),
            content_version=int(content["content_version"]),
            lines=tuple(line_to_row(line) for line in decode_lines(dict(content["lines"]))),
            saved=tuple(line_to_row(line) for line in decode_lines(dict(content["saved"]))),
            marks={str(name): str(value) for name, value in dict(content["marks"]).items()},
            last_activity_at=from_micros(int(content["last_activity_at"])),
            state="merged" if state == "merged" else "active",
            reason=fields.get("reason", "").replace("\0", "")[:_MAX_REASON],
            undone=fields.get("undone", "").replace("\0", "")[:_MAX_MERGE_ID],
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def read_live(owner: str) -> Snapshot | None:
    """Take a snapshot of a live cart, as its next change would tell it; None if Redis holds none.

    :raises CartsUnavailableError: if Redis cannot answer now.
    :raises ValueError: if what it holds is no cart.
    """
    fields, saved = store.read_both(owner)
    if "@version" not in fields:
        return None
    content = {
        "lines": {name: text for name, text in fields.items() if not name.startswith("@")},
        "saved": saved,
        "marks": {name: fields[name] for name in _MARKS if name in fields},
        "state": fields.get("@state", "active"),
        "content_version": fields.get("@content_version", "0"),
        "last_activity_at": fields.get("@last_activity_at", "0"),
    }
    told = {"owner": owner, "version": fields["@version"], "reason": "retry", "snapshot": json.dumps(content)}
    return read_entry(Entry(0, "", told))


def newest(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Keep the newest snapshot of each cart."""
    found: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        if snapshot.owner not in found or found[snapshot.owner].version < snapshot.version:
            found[snapshot.owner] = snapshot
    return tuple(found.values())


def write(snapshots: Sequence[Snapshot]) -> int:
    """Write the newest snapshot of each cart and note every change, together; give what `upsert` gives.

    :raises django.db.DataError: if PostgreSQL cannot hold one of them; then none was written.
    """
    with transaction.atomic():
        stale = upsert(newest(snapshots))
        if snapshots and conf().history_days:
            note(snapshots)
    return stale


def note(snapshots: Sequence[Snapshot]) -> None:
    """Keep these changes for the history of their carts, each once, in one statement."""
    rows = [
        (
            s.owner,
            s.version,
            s.reason,
            s.last_activity_at,
            units_of(s),
            value_of(s),
            json.dumps({row["sku_id"]: row["quantity"] for row in s.lines}),
            json.dumps({row["sku_id"]: row["quantity"] for row in s.saved}),
            *_merge_of(s),
        )
        for s in snapshots
    ]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, tuple([*column] for column in zip(*rows, strict=True)))


def _merge_of(snapshot: Snapshot) -> tuple[str, str, str]:
    """Tell id, policy and receipt of the merge that a change is, or the id of the one that it undid.

    The token with which a merge is undone stays out: what staff can read must not act for the customer.
    """
    if snapshot.reason not in _MERGES:
        return snapshot.undone, "", "[]"
    merges = json.loads(snapshot.marks.get("@merges", "[]"))
    merge = merges[-1] if merges else {}
    receipt = json.dumps(json.loads(merge.get("receipt", "[]")) or [])
    return merge.get("id", "")[:_MAX_MERGE_ID], merge.get("policy", ""), receipt


def units_of(snapshot: Snapshot) -> int:
    """Count the units in a cart."""
    return sum(row["quantity"] for row in snapshot.lines)


def value_of(snapshot: Snapshot) -> int:
    """Add up a cart at the prices when added, in minor units."""
    return sum(row["quantity"] * (row["price_at_add"] or 0) for row in snapshot.lines)


def upsert(snapshots: Sequence[Snapshot]) -> int:
    """Write snapshots, at most one a cart, in one statement; tell how many met a record as new or newer.

    :raises django.db.DataError: if PostgreSQL cannot hold one of them; then none was written.
    """
    if not snapshots:
        return 0
    dump = json.dumps
    code = currency()
    columns: tuple[list[Any], ...] = tuple(
        [*column]
        for column in zip(
            *(
                (
                    s.owner,
                    s.user_id,
                    s.version,
                    s.content_version,
                    dump(s.lines),
                    dump(s.saved),
                    dump(dict(s.marks)),
                    units_of(s),
                    value_of(s),
                    code,
                    s.last_activity_at,
                    s.state,
                )
                for s in snapshots
            ),
            strict=True,
        )
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UPSERT, columns)
        written: int = cursor.rowcount
    return len(snapshots) - written


def bury(entry: Entry, *, error: str, deliveries: int) -> None:
    """Keep an event that cannot be recorded for people to look at; once, however often it is called."""
    fields = entry.fields or {}
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                partition=entry.partition,
                entry_id=entry.entry_id,
                owner=fields.get("owner", "").replace("\0", "")[:_MAX_OWNER],
                fields=json.dumps(fields)[:MAX_KEPT_CHARACTERS],
                error=error.replace("\0", "")[:1_000],
                deliveries=deliveries,
            )
        ],
        ignore_conflicts=True,
    )
