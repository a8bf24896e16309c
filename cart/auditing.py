"""Does PostgreSQL hold what Redis holds? Looks, reports, and repairs one cart at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cart import holding, recording, restoring, store
from cart.codec import from_micros, row_to_line
from cart.conf import conf
from cart.models import CartRecord
from cart.recording import Snapshot
from cart.types import CartLine
from shop.core.privacy import mask_owner

SAMPLE = 1_000
BATCH = 500
SETTLED = timedelta(seconds=10)
"""A change may be so young and not yet recorded: the recorder's promise."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A cart of which Redis and PostgreSQL hold different things."""

    owner: str
    detail: str

    @property
    def name(self) -> str:
        """The owner as people may see it."""
        return mask_owner(self.owner)


def list_disagreements(*, is_whole: bool, now: datetime) -> tuple[Disagreement, ...]:
    """Compare carts with their records: all, or the last touched ones of either side.

    A cart that Redis does not hold is none: it is restored when somebody asks for it.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    found: dict[str, Disagreement] = {}
    for batch in _batches(_owners(is_whole=is_whole, now=now)):
        for owner, record in _records(batch).items():
            detail = _differs(owner, record, now)
            if detail:
                found[owner] = Disagreement(owner, detail)
    return tuple(found.values())


def repair(*, name: str, now: datetime) -> str:
    """Bring carts and their records together, whichever is newer, and say what was done. Never loses the newer.

    `name` is a disagreement's: a customer, or the guests whose hash begins so. Carts that agree are left alone.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    if name.startswith("u:"):
        owners = [name]
    else:
        kept = CartRecord.objects.filter(owner__startswith=name).values_list("owner", flat=True)
        owners = sorted({*kept, *holding.list_owners(begins=name)})
    done = [_repair(owner, record) for owner, record in _records(owners).items() if _differs(owner, record, now)]
    return ", ".join(done) or "nothing differs any more"


def _repair(owner: str, record: CartRecord | None) -> str:
    snapshot = recording.read_live(owner)
    if snapshot is None:
        return "no live cart"
    if record is not None and (snapshot.version < record.version or _uncleared(record, snapshot)):
        stored = restoring.to_fields(record)
        if snapshot.version < record.version:
            store.restore(owner=owner, version=stored.version, cart=stored.cart, saved=stored.saved)
            return "live cart restored from its record"
        for order in record.ordered:
            restoring.clear_order(owner, order)
        return "ordered lines taken out of the live cart"
    if record is not None and snapshot.version == record.version:
        CartRecord.objects.filter(pk=record.pk, version=record.version).update(version=record.version - 1)
    recording.write([snapshot])
    return "live cart recorded"


def _owners(*, is_whole: bool, now: datetime) -> Iterator[str]:
    """Name whose carts are compared: recorded ones, then live ones."""
    since = now - timedelta(days=conf().ttl_days)
    records = CartRecord.objects.filter(last_activity_at__gte=since, state=CartRecord.State.ACTIVE)
    names = records.order_by("-last_activity_at", "-id").values_list("owner", flat=True)
    yield from names.iterator(chunk_size=BATCH) if is_whole else list(names[:SAMPLE])
    yield from holding.list_owners(most=None if is_whole else SAMPLE)


def _batches(owners: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for owner in owners:
        batch.append(owner)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _records(owners: list[str]) -> dict[str, CartRecord | None]:
    records = CartRecord.objects.filter(owner__in=owners).exclude(state=CartRecord.State.CONVERTED)
    found = {record.owner: record for record in records}
    return {owner: found.get(owner) for owner in owners}


def _differs(owner: str, record: CartRecord | None, now: datetime) -> str:
    """Say how a cart differs from its record; empty if it does not, or is still on its way there."""
    try:
        snapshot = recording.read_live(owner)
    except ValueError:
        return "the live cart cannot be read"
    if snapshot is None:
        return ""
    if record is None or snapshot.version > record.version:
        since = from_micros(record.version).isoformat(timespec="seconds") if record else "never"
        return f"not recorded since {since}" if now - snapshot.last_activity_at >= SETTLED else ""
    if snapshot.version < record.version:
        return "the live cart is older than its record"
    return _content_differs(record, snapshot)


def _content_differs(record: CartRecord, snapshot: Snapshot) -> str:
    """Say how contents of one version differ."""
    if snapshot.state == record.state != CartRecord.State.ACTIVE:
        return ""
    if uncleared := _uncleared(record, snapshot):
        return f"order {', '.join(uncleared)} is not taken out of the live cart"
    for place, live, kept in (("cart", snapshot.lines, record.lines), ("saved list", snapshot.saved, record.saved)):
        if _lines(map(row_to_line, live)) != _lines(map(row_to_line, kept)):
            return f"the {place} differs at the same version"
    return ""


def _uncleared(record: CartRecord, snapshot: Snapshot) -> list[str]:
    """List orders that the record knows and the live cart was not cleared of."""
    cleared = restoring.read_cleared(snapshot.marks)
    return [order["number"] for order in record.ordered if order["number"] not in cleared]


def _lines(lines: Iterable[CartLine]) -> dict[str, CartLine]:
    return {line.sku_id: line for line in lines}
