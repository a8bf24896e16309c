"""Bring back what was in a cart: what a link shows, and the lines copied into the cart of whoever follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cart import selectors as carts
from cart import services as cart_services
from cart.offers import list_offers
from cart.types import CartChange, CartRef, LineChange
from notifications import links
from notifications.models import Message, Touch
from notifications.services import trapping
from notifications.types import EventState, ReminderLine, TouchKind
from shop.catalog.types import SkuCard
from shop.core.money import Money

LIFE = timedelta(days=30)


class LinkState(StrEnum):
    """What a restore link leads to."""

    READY = "ready"
    ORDERED = "ordered"
    EXPIRED = "expired"
    NOTHING_LEFT = "nothing_left"


@dataclass(frozen=True, slots=True)
class Restorable:
    """What a link can give back, at the prices of this moment."""

    state: LinkState
    lines: tuple[ReminderLine, ...] = ()
    gone: tuple[str, ...] = ()
    """Titles of what is not sold or not there any more."""
    cut: tuple[str, ...] = ()
    """SKU ids of which there are fewer than were in the cart."""
    is_own_unchanged: bool = False
    """The visitor is the owner, and the cart is as it was: there is nothing to copy."""
    still_sold: tuple[SkuCard, ...] = ()
    """Of a link that gives nothing back: what can still be bought. No prices: they may be a person's own."""
    has_other_lines: bool = False
    """The visitor's own cart holds something that these lines would join, or could replace."""


def look_at(*, message: Message, visitor: CartRef | None, now: datetime) -> Restorable:
    """Tell what a reminder's link leads to for this visitor. Changes nothing."""
    event = message.abandonment
    if event is None or event.snapshot is None or message.handed_at is None:
        return Restorable(LinkState.EXPIRED)
    rows: list[dict[str, Any]] = event.snapshot
    if now > message.handed_at + LIFE:
        return Restorable(LinkState.EXPIRED, still_sold=_still_sold(rows, now))
    if event.ordered_at is not None or event.state == EventState.CONVERTED.value:
        return Restorable(LinkState.ORDERED, still_sold=_still_sold(rows, now))
    live = carts.get_cart(ref=visitor) if visitor is not None else None
    offers = list_offers(
        sku_ids={row["sku_id"] for row in rows}, now=now, code=live.currency if live and live.version else ""
    )
    lines, gone, cut = [], [], []
    for row in rows:
        sku_id = row["sku_id"]
        quantity = min(row["quantity"], offers.available(sku_id))
        card = offers.cards.get(sku_id)
        if card is None or not offers.is_sold(sku_id) or quantity < 1:
            gone.append(card.title if card else sku_id)
            continue
        if quantity < row["quantity"]:
            cut.append(sku_id)
        lines.append(ReminderLine(card, quantity, offers.prices[sku_id], _money(row["price_at_add"])))
    return Restorable(
        state=LinkState.READY if lines else LinkState.NOTHING_LEFT,
        lines=tuple(lines),
        gone=tuple(gone),
        cut=tuple(cut),
        is_own_unchanged=_is_own_unchanged(message, visitor),
        has_other_lines=bool(live and {line.sku_id for line in live.lines} - {line.card.sku_id for line in lines}),
    )


def restore(*, message: Message, ref: CartRef, now: datetime, is_replacing: bool = False) -> CartChange | None:
    """Copy the lines of a reminder's cart into this cart: of a SKU that is in both the greater quantity stays.

    `is_replacing`: the cart holds these lines afterwards, and no others. What is not there any more is left out. The
    cart that the mail was about is not touched, and no code or sign-in comes with it. Repeatable: the same lines change
    nothing. None if there is nothing to change.

    :raises Refusal: as `cart.services.change_lines`.
    """
    found = look_at(message=message, visitor=ref, now=now)
    if found.state is not LinkState.READY or found.is_own_unchanged:
        return None
    here = {line.sku_id: line.quantity for line in carts.get_cart(ref=ref).lines}
    there = {line.card.sku_id: line.quantity for line in found.lines}
    if is_replacing:
        wanted = {} if here == there else there
    else:
        wanted = {sku_id: quantity for sku_id, quantity in there.items() if quantity > here.get(sku_id, 0)}
    if not wanted:
        return None
    return cart_services.change_lines(
        ref=ref,
        changes=[LineChange("set", sku_id, quantity) for sku_id, quantity in wanted.items()],
        now=now,
        mode="replace" if is_replacing else "patch",
        is_clamping=True,
        keeps_undo=True,
    )


def note_touch(*, message: Message, kind: TouchKind, visitor: CartRef | None, now: datetime, source: str = "") -> None:
    """Remember that somebody came by a reminder's link; once a visitor. A note, nothing more.

    `source`: the hash of the network address that a click came from; a program's click counts as such.
    """
    who = links.visitor_hash(visitor.owner if visitor else "")
    touch = Touch(message=message, kind=kind.value, visitor=who, source=source, at=now)
    Touch.objects.bulk_create([touch], ignore_conflicts=True)
    if source:
        trapping.part_programs(source=source)


def _still_sold(rows: Sequence[Mapping[str, Any]], now: datetime) -> tuple[SkuCard, ...]:
    offers = list_offers(sku_ids={row["sku_id"] for row in rows}, now=now)
    ids = [row["sku_id"] for row in rows if offers.is_sold(row["sku_id"]) and offers.available(row["sku_id"])]
    return tuple(offers.cards[sku_id] for sku_id in ids)


def _is_own_unchanged(message: Message, visitor: CartRef | None) -> bool:
    event = message.abandonment
    if event is None or visitor is None or visitor.user_id is None or visitor.user_id != event.user_id:
        return False
    live = carts.get_cart(ref=visitor)
    return bool(live.lines) and live.content_version == event.content_version


def _money(stored: Mapping[str, Any] | None) -> Money | None:
    return Money(stored["minor"], stored["currency"]) if stored else None
