"""Reads of carts: one Redis round trip each, and the same number of queries for one line as for a hundred."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from cart import holding, restoring, server, signs, store
from cart.auditing import list_disagreements
from cart.codec import decode_cart, decode_lines, encode_receipt, from_micros
from cart.conf import conf
from cart.deferring import iterate_deferred, list_deferred, list_recorded_saved
from cart.errors import CartsUnavailableError
from cart.exporting import export_customer
from cart.joining import list_merge_answers
from cart.offers import Offers, currency, list_offers
from cart.rules import acknowledged_prices, line_notices, notice_id
from cart.types import (
    Cart,
    CartLine,
    CartRef,
    CartState,
    CartView,
    LineView,
    Notice,
    PendingLine,
    PendingMerge,
    RecorderStatus,
)
from inventory.types import AvailabilityState
from pricing import selectors as pricing
from pricing.types import CodeOff, Demand

__all__ = [
    "enrich",
    "eviction_policy",
    "export_customer",
    "get_cart",
    "get_cart_and_saved",
    "get_current_cart",
    "get_saved",
    "is_version",
    "iterate_deferred",
    "keeps_file",
    "list_carts",
    "list_deferred",
    "list_disagreements",
    "list_merge_answers",
    "list_recorded_saved",
    "pending_merge",
    "recorder_status",
    "server_versions",
    "view_cart",
]


def get_cart(*, ref: CartRef | None) -> Cart:
    """Read a cart as stored: one `HGETALL`, no SQL.

    A cart that Redis does not hold is restored from PostgreSQL once. If Redis cannot answer, it is PostgreSQL's copy
    (`is_copy`). No ref, or a cart never written: an empty one of version 0; nothing is created.
    """
    return decode_cart(None, {}, currency=currency()) if ref is None else _read(ref, store.read)


def list_carts(*, refs: Sequence[CartRef]) -> tuple[Cart, ...]:
    """Read several carts as stored, in this order: one pipeline, and one query for those that Redis does not hold.

    Nothing is restored: nobody waits for these carts. If Redis cannot answer, all are PostgreSQL's copies (`is_copy`).
    """
    owners, is_copy = [ref.owner for ref in refs], False
    try:
        held = holding.read_all(owners)
    except CartsUnavailableError:
        held, is_copy = {}, True
    missing = [owner for owner in owners if owner not in held]
    stored = restoring.find_records(missing) if missing else {}
    fields = {**held, **{owner: record.cart for owner, record in stored.items()}}
    return tuple(decode_cart(ref, fields.get(ref.owner, {}), currency=currency(), is_copy=is_copy) for ref in refs)


def get_current_cart(*, ref: CartRef) -> Cart:
    """Read a cart that is about to be bought: as `get_cart`, but never what a demoted server still holds.

    Then, too, it is PostgreSQL's copy.
    """
    return _read(ref, store.read_current)


def _read(ref: CartRef, read: Callable[[str], store.Fields]) -> Cart:
    try:
        fields = read(ref.owner)
        if not fields and not ref.is_new:
            fields, _ = restoring.read_missing(ref)
    except CartsUnavailableError:
        return _copy(ref)[0]
    return decode_cart(ref, fields, currency=currency())


def is_version(*, ref: CartRef | None, version: int) -> bool:
    """Tell whether a cart has this version: reads one field. False also if that cannot be told right now."""
    if ref is None or version <= 0:
        return False
    try:
        return store.read_version(ref.owner) == version
    except CartsUnavailableError:
        return False


def get_cart_and_saved(*, ref: CartRef | None) -> tuple[Cart, tuple[CartLine, ...]]:
    """Read a cart and its saved list, in one pipeline; otherwise as `get_cart`."""
    if ref is None:
        return decode_cart(None, {}, currency=currency()), ()
    try:
        fields, saved = store.read_both(ref.owner)
        if not fields and not ref.is_new:
            fields, saved = restoring.read_missing(ref)
    except CartsUnavailableError:
        return _copy(ref)
    cart = decode_cart(ref, fields, currency=currency())
    return cart, () if cart.state is CartState.MERGED else decode_lines(saved)


def get_saved(*, ref: CartRef | None) -> tuple[CartLine, ...]:
    """Read a saved list, in order of adding."""
    return get_cart_and_saved(ref=ref)[1]


def view_cart(
    *,
    ref: CartRef | None,
    locale: str,
    now: datetime,
    owner: str | None = None,
    with_saved: bool = False,
) -> CartView:
    """Show a cart with current prices, cards and availability: one Redis round trip and two queries.

    `owner` is the shopper's open checkout, whose reserved units count as available. `with_saved` adds the saved list,
    at the same cost.
    """
    if with_saved:
        cart, saved = get_cart_and_saved(ref=ref)
    else:
        cart, saved = get_cart(ref=ref), ()
    return enrich(cart=cart, saved=saved, locale=locale, now=now, owner=owner)


def enrich(
    *,
    cart: Cart,
    locale: str,
    now: datetime,
    saved: Sequence[CartLine] = (),
    owner: str | None = None,
) -> CartView:
    """Add current prices, discounts, cards and availability to a cart: two queries, none for an empty one."""
    customer = cart.ref.owner if cart.ref else ""
    sku_ids = {line.sku_id for line in (*cart.lines, *saved)}
    offers = list_offers(sku_ids=sku_ids, now=now, owner=owner, customer=customer, code=cart.currency)
    most = conf().max_quantity
    lines = tuple(_line_view(line, offers, most) for line in cart.lines)
    deferred = tuple(_line_view(line, offers, most) for line in saved)
    quote = pricing.quote(
        demands=[Demand(view.sku_id, view.quantity) for view in lines if view.line_total is not None],
        currency=cart.currency,
        now=now,
        owner=customer,
        code_ids=cart.codes,
        prices=offers.prices,
    )
    return CartView(
        cart=cart,
        lines=lines,
        subtotal=quote.subtotal,
        total=quote.total,
        notices=_notices(cart, lines, quote.codes_off),
        locale=locale,
        saved=deferred,
        discounts=quote.discounts,
        codes_off=quote.codes_off,
    )


def pending_merge(*, cart: Cart, now: datetime, owner: str | None = None) -> PendingMerge | None:
    """Tell what a merge left to this cart's customer to decide: one query, none if there is nothing.

    `services.answer_merge` takes the answer. A copy cannot be answered, so it has none.
    """
    if cart.question is None or cart.is_copy:
        return None
    guest = cart.question.guest
    offers = list_offers(sku_ids={line.sku_id for line in guest}, now=now, owner=owner, code=cart.currency)
    views = [(_line_view(line, offers, conf().max_quantity), cart.line(line.sku_id)) for line in guest]
    return PendingMerge(
        cart.question.question_id,
        tuple(
            PendingLine(view.sku_id, view.title, held.quantity if held else 0, view.quantity, view.buyable)
            for view, held in views
        ),
    )


def recorder_status() -> RecorderStatus:
    """Tell how the recorder of cart events is doing.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    sign, stale = signs.read_sign(), signs.read_stale()
    if sign is None:
        return RecorderStatus(None, 0, 0.0, stale)
    return RecorderStatus(from_micros(sign.at_micros), sign.waiting, sign.oldest_seconds, stale)


def eviction_policy() -> str:
    """Tell what the carts' server does when it is full: anything but `noeviction` loses carts. Empty: not told.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    found = server.settings("maxmemory-policy")
    return next(iter(sorted(found - {"noeviction"})), "noeviction" if found else "")


def keeps_file() -> bool | None:
    """Tell whether the carts' server writes each change to an append-only file. None: not told.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    found = server.settings("appendonly")
    return found == {"yes"} if found else None


def server_versions() -> frozenset[str]:
    """Tell the versions of the carts' server, such as `7.2.11`; none if it does not say.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    return server.versions()


def _copy(ref: CartRef) -> tuple[Cart, tuple[CartLine, ...]]:
    """Read PostgreSQL's copy."""
    stored = restoring.find_record(ref)
    if stored is None:
        return decode_cart(ref, {}, currency=currency(), is_copy=True), ()
    cart = decode_cart(ref, stored.cart, currency=currency(), is_copy=True)
    return cart, decode_lines(stored.saved)


def _line_view(line: CartLine, offers: Offers, most: int) -> LineView:
    stock = offers.stock.get(line.sku_id)
    is_sold = offers.is_sold(line.sku_id)
    price = offers.prices.get(line.sku_id) if is_sold else None
    available = stock.available if stock and is_sold else 0
    state = stock.state if stock and is_sold else AvailabilityState.DISCONTINUED
    if is_sold and 0 < available < line.quantity:
        state = AvailabilityState.SHORT
    added = line.price_at_add
    return LineView(
        sku_id=line.sku_id,
        quantity=line.quantity,
        added_at=line.added_at,
        card=offers.cards.get(line.sku_id),
        price_at_add=added,
        unit_price=price,
        line_total=price * line.quantity if price is not None else None,
        price_delta=price - added if price and added and price.currency == added.currency else None,
        state=state,
        available=available,
        buyable=min(available, most),
        retry_after_seconds=stock.retry_after_seconds if stock and is_sold else None,
        is_elsewhere=not is_sold and offers.is_elsewhere(line.sku_id),
    )


def _notices(cart: Cart, lines: Sequence[LineView], codes_off: Sequence[CodeOff]) -> tuple[Notice, ...]:
    """Gather what changed without the shopper's doing; a copy, which cannot be acknowledged, has none."""
    if cart.is_copy:
        return ()
    notices: list[Notice] = []
    if cart.notice == "merged":
        value = hashlib.sha256(encode_receipt(cart.receipt).encode()).hexdigest()[:8]
        notices.append(Notice(notice_id("merged", value, ""), "merged", "", "", None, None))
    elif cart.notice == "changed_elsewhere":
        notices.append(Notice(notice_id("changed_elsewhere", 0, ""), "changed_elsewhere", "", "", None, None))
    elif cart.notice == "currency":
        notices.append(Notice(notice_id("currency", cart.currency, ""), "currency", "", cart.currency, None, None))
    acknowledged = acknowledged_prices(cart.acknowledged, cart.currency)
    for view in lines:
        notices.extend(line_notices(view, acknowledged=acknowledged, seen=cart.acknowledged))
    for off in codes_off:
        name = notice_id("code_off", off.reason, str(off.code_id))
        notices.append(Notice(name, "code_off", "", off.label, None, off.minimum, off.reason))
    return tuple(notices)
