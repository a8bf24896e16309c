"""Writes snapshots of carts into PostgreSQL: the newest of each cart, in one statement, never over a newer one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from cart import store
from cart.codec import LineRow, decode_lines, from_micros, line_to_row, value_of_rows
from cart.conf import conf
from cart.models import DeadLetter
from cart.stream import Entry
from pricing import regions

MAX_SNAPSHOT_CHARACTERS = 256_000
MAX_KEPT_CHARACTERS = 64_000
_MAX_OWNER = 80
_MAX_REASON = 20
_MAX_MERGE_ID = 300
_MARKS = (
    "@acks",
    "@notice",
    "@receipt",
    "@merges",
    "@question",
    "@codes",
    "@cleared",
    "@region",
    "@merged_into",
    "@merge_id",
)
"""The cart's own fields that a record keeps; as in the scripts."""
_STATES = ("active", "frozen", "merged")

_UPSERT = """
INSERT INTO cart_cartrecord AS r
       (owner, user_id, version, content_version, lines, saved, marks, ordered, units, value_minor, currency,
        last_activity_at, state)
SELECT e.owner, e.user_id, e.version, e.content_version, e.lines, e.saved, e.marks, '[]'::jsonb, e.units,
       e.value_minor, e.currency, e.last_activity_at, e.state
  FROM json_to_recordset(%s::json)
       AS e(owner text, user_id bigint, version bigint, content_version bigint, lines jsonb, saved jsonb, marks jsonb,
            units integer, value_minor bigint, currency text, last_activity_at timestamptz, state text)
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
INSERT INTO cart_cartevent (owner, version, reason, at, units, value_minor, currency, quantities, saved, merge_id,
                            policy, receipt)
SELECT e.owner, e.version, e.reason, e.at, e.units, e.value_minor, e.currency, e.quantities, e.saved, e.merge_id,
       e.policy, e.receipt
  FROM json_to_recordset(%s::json)
       AS e(owner text, version bigint, reason text, at timestamptz, units integer, value_minor bigint,
            currency text, quantities jsonb, saved jsonb, merge_id text, policy text, receipt jsonb)
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
    rows = []
    for s in snapshots:
        merge_id, policy, receipt = _merge_of(s)
        rows.append(
            {
                "owner": s.owner,
                "version": s.version,
                "reason": s.reason,
                "at": s.last_activity_at.isoformat(),
                "units": units_of(s),
                "value_minor": value_of(s),
                "currency": currency_of(s),
                "quantities": {row["sku_id"]: row["quantity"] for row in s.lines},
                "saved": {row["sku_id"]: row["quantity"] for row in s.saved},
                "merge_id": merge_id,
                "policy": policy,
                "receipt": receipt,
            }
        )
    _execute(_NOTE, rows)


def _execute(sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """Run a statement with its rows as one JSON text: escaping arrays of JSON took half of the recorder's time."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [json.dumps(rows)])
        return int(cursor.rowcount)


def _merge_of(snapshot: Snapshot) -> tuple[str, str, list[Any]]:
    """Tell id, policy and receipt of the merge that a change is, or the id of the one that it undid.

    The token with which a merge is undone stays out: what staff can read must not act for the customer.
    """
    if snapshot.reason not in _MERGES:
        return snapshot.undone, "", []
    merges = json.loads(snapshot.marks.get("@merges", "[]"))
    merge = merges[-1] if merges else {}
    receipt = json.loads(merge.get("receipt", "[]")) or []
    return merge.get("id", "")[:_MAX_MERGE_ID], merge.get("policy", ""), receipt


def units_of(snapshot: Snapshot) -> int:
    """Count the units in a cart."""
    return sum(row["quantity"] for row in snapshot.lines)


def value_of(snapshot: Snapshot) -> int:
    """Add up a cart at the prices when added, in minor units; what was added in another currency adds nothing."""
    return value_of_rows(snapshot.lines, currency_of(snapshot))


def currency_of(snapshot: Snapshot) -> str:
    """Tell the currency of a cart: that of its region."""
    return regions.currency_of(snapshot.marks.get("@region", ""))


def upsert(snapshots: Sequence[Snapshot]) -> int:
    """Write snapshots, at most one a cart, in one statement; tell how many met a record as new or newer.

    :raises django.db.DataError: if PostgreSQL cannot hold one of them; then none was written.
    """
    if not snapshots:
        return 0
    rows = [
        {
            "owner": s.owner,
            "user_id": s.user_id,
            "version": s.version,
            "content_version": s.content_version,
            "lines": s.lines,
            "saved": s.saved,
            "marks": dict(s.marks),
            "units": units_of(s),
            "value_minor": value_of(s),
            "currency": currency_of(s),
            "last_activity_at": s.last_activity_at.isoformat(),
            "state": s.state,
        }
        for s in snapshots
    ]
    with transaction.atomic():
        return len(snapshots) - _execute(_UPSERT, rows)


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
