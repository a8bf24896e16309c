"""What staff see of one cart: live beside recorded, prices then and now, and how it came to be. Never a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cart import selectors, store
from cart.codec import decode_cart, decode_lines, decode_receipt_rows, row_to_line
from cart.errors import CartsUnavailableError
from cart.models import CartEvent, CartRecord
from cart.offers import currency
from cart.types import Cart, CartRef, CartState, CartView, LineView, Notice, ReceiptLine
from shop.core.money import Money

MAX_CHANGES = 100


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One SKU of one list: how many live and as recorded (None: that side is not known), and its prices."""

    view: LineView
    live: int | None
    recorded: int

    @property
    def differs(self) -> bool:
        """Whether the two sides disagree."""
        return self.live is not None and self.live != self.recorded


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change did to one SKU of one list."""

    sku_id: str
    place: Literal["cart", "saved"]
    was: int
    now: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a cart and what it did. Of the oldest one kept, everything counts as done by it."""

    at: datetime
    reason: str
    units: int
    value: Money
    differences: tuple[Difference, ...]
    receipt: tuple[ReceiptLine, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that staff see of one cart."""

    live: Literal["there", "absent", "unknown"]
    """Unknown: Redis cannot answer. Absent: the cart's time is over there, or nobody asked for it since it was lost."""
    state: CartState
    lag: int
    """Microseconds between the versions: how far the record is behind the live cart; 0 if it is not."""
    lines: tuple[ComparedLine, ...]
    saved: tuple[ComparedLine, ...]
    notices: tuple[Notice, ...]
    total: Money
    """Of the live cart, or else of the record, at current prices."""
    locked_by: str
    changes: tuple[Change, ...]


def inspect(*, record: CartRecord, locale: str, now: datetime) -> Inspection:
    """Look at a recorded cart and at the live one: one Redis round trip, at most five queries. Restores nothing."""
    ref = CartRef("u" if record.user_id is not None else "g", record.owner.partition(":")[2])
    recorded = _view_record(record, ref, locale=locale, now=now)
    changes = list_changes(owner=record.owner)
    live = _view_live(ref, locale=locale, now=now) if record.state != CartRecord.State.CONVERTED else None
    if live is None or not live.cart.version:
        is_known = live is not None
        return Inspection(
            live="absent" if is_known or record.state == CartRecord.State.CONVERTED else "unknown",
            state=CartState.MERGED if record.state == CartRecord.State.MERGED else CartState.ACTIVE,
            lag=0,
            lines=tuple(ComparedLine(view, None, view.quantity) for view in recorded.lines),
            saved=tuple(ComparedLine(view, None, view.quantity) for view in recorded.saved),
            notices=(),
            total=recorded.total,
            locked_by="",
            changes=changes,
        )
    return Inspection(
        live="there",
        state=live.cart.state,
        lag=max(0, live.cart.version - record.version),
        lines=_compare(live.lines, recorded.lines),
        saved=_compare(live.saved, recorded.saved),
        notices=live.notices,
        total=live.total,
        locked_by=live.cart.locked_by,
        changes=changes,
    )


def list_changes(*, owner: str, limit: int = MAX_CHANGES) -> tuple[Change, ...]:
    """List the last changes of an owner's cart, newest first: one query."""
    events = list(CartEvent.objects.filter(owner=owner).order_by("-version")[: limit + 1])
    return tuple(
        Change(
            at=event.at,
            reason=event.reason,
            units=event.units,
            value=Money(event.value_minor, event.currency or currency()),
            differences=(
                *_differences("cart", before.quantities if before else {}, event.quantities),
                *_differences("saved", before.saved if before else {}, event.saved),
            ),
            receipt=decode_receipt_rows(event.receipt),
            policy=event.policy,
        )
        for event, before in zip(events[:limit], [*events[1:], None], strict=False)
    )


def _view_record(record: CartRecord, ref: CartRef, *, locale: str, now: datetime) -> CartView:
    cart = Cart(
        ref=ref,
        version=record.version,
        content_version=record.content_version,
        state=CartState.ACTIVE,
        currency=record.currency,
        lines=tuple(row_to_line(row) for row in record.lines),
        updated_at=record.last_activity_at,
        is_copy=True,
    )
    return selectors.enrich(cart=cart, saved=[row_to_line(row) for row in record.saved], locale=locale, now=now)


def _view_live(ref: CartRef, *, locale: str, now: datetime) -> CartView | None:
    """Look at the live cart without bringing a missing one back; None if Redis cannot answer."""
    try:
        fields, saved = store.read_both(ref.owner)
    except CartsUnavailableError:
        return None
    cart = decode_cart(ref, fields, currency=currency())
    return selectors.enrich(cart=cart, saved=decode_lines(saved), locale=locale, now=now)


def _compare(live: tuple[LineView, ...], recorded: tuple[LineView, ...]) -> tuple[ComparedLine, ...]:
    there = {view.sku_id: view.quantity for view in live}
    kept = {view.sku_id: view.quantity for view in recorded}
    gone = [view for view in recorded if view.sku_id not in there]
    return tuple(ComparedLine(view, there.get(view.sku_id, 0), kept.get(view.sku_id, 0)) for view in (*live, *gone))


def _differences(
    place: Literal["cart", "saved"], before: Mapping[str, int], after: Mapping[str, int]
) -> list[Difference]:
    return [
        Difference(sku_id, place, before.get(sku_id, 0), after.get(sku_id, 0))
        for sku_id in sorted({*before, *after})
        if before.get(sku_id, 0) != after.get(sku_id, 0)
    ]
