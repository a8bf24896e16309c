"""From cart to checkout: quote, compare, reserve."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import get_language

from cart import selectors as carts
from cart.errors import CartChangedError, CartsUnavailableError
from cart.rules import acknowledged_prices
from cart.types import Cart, CartRef
from inventory import services as inventory
from inventory.types import StockDemand
from shop.checkout import hoarding, models, selectors
from shop.checkout.conf import conf
from shop.checkout.errors import PriceChangedError, ReservationLimitError
from shop.checkout.selectors.checkouts import checkout_view
from shop.checkout.services import rows
from shop.checkout.services.details import clean_email
from shop.checkout.services.living import Live, choose, lock_live, read_live, require_few_units
from shop.checkout.services.quoting import Offer, agree, freeze, note_shown, offer, shown_in_checkout
from shop.checkout.types import CheckoutState, CheckoutView, Principal
from shop.core.db import retrying
from shop.core.errors import UnavailableError
from shop.core.ids import new_id
from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class _Start:
    """All that is known before the transaction begins."""

    cart: Cart
    principal: Principal
    offer: Offer | None
    """None: the frozen quote of the open checkout stands."""
    email: str
    language: str
    checkout_id: str
    """The one that a checkout gets if it comes into being."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What the transaction did."""

    checkout_id: str
    view: CheckoutView | None = None
    """Of a checkout that came into being: nobody else can have changed it."""


def start_checkout(
    *,
    ref: CartRef,
    principal: Principal,
    accepted_total: int | None,
    expected_cart_version: int | None,
    now: datetime,
    email: str = "",
    shown_total: int | None = None,
    shown_currency: str = "",
    network_address: str = "",
) -> tuple[CheckoutView, bool]:
    """Begin to buy what is in the cart, or go on with the checkout that is open; tell whether one came into being.

    All lines are quoted anew and compared with what the shopper saw: the open checkout's quote, else the price last
    acknowledged in the cart, else the price at add.
    A fall is applied. A rise needs `accepted_total` (minor units) at least as high as the new total; until then
    nothing is reserved. So does a total above `shown_total`, the one that the shopper saw when they asked, and a code
    that takes nothing off, and another currency than that of the open checkout, or than `shown_currency`, which the
    totals are in (empty: the cart's). Then all lines are reserved for the checkout, all or nothing.

    An owner has one open checkout. If the cart changed since, that one takes over the cart's lines and its reservation
    is adjusted by the difference, its end unmoved. If the cart did not change and the price lock holds, the frozen
    quote stands; a reservation that is over is made again. A checkout of this very cart that is being paid is returned
    as it is.

    :raises CartsUnavailableError: if the cart can be read only as a copy, which may be old.
    :raises CartChangedError: if the cart's version is not `expected_cart_version`.
    :raises CartEmptyError: if there is nothing in it.
    :raises LineUnavailableError: if a line is not sold (any more).
    :raises PriceChangedError: if a rise has to be agreed to.
    :raises InsufficientStockError: if a line is short.
    :raises ReservationLimitError: if this owner has too many live checkouts.
    :raises UnitsLimitError: if this owner would hold more units than may be.
    :raises AddressLimitError: if so much is reserved from `network_address` that no more is.
    :raises RejectedError: if `email` is no mail address.
    """
    if ref.owner != principal.owner:
        msg = "the cart is another's"
        raise ValueError(msg)
    address = clean_email(email) if email else principal.email
    cart = _cart(ref=ref, expected_version=expected_cart_version)
    live = read_live(cart, now)
    paying, row = choose([one.row for one in live], cart)
    if paying is not None:
        return selectors.get_checkout(checkout_id=paying.checkout_id, principal=principal, now=now), False
    units = require_few_units(cart, [one.lines for one in live if one.row.state == CheckoutState.PAYING.value])
    known = next((one for one in live if one.row is row), None)
    fresh = _quote(
        known=known,
        cart=cart,
        accepted_total=accepted_total,
        shown_total=shown_total,
        shown_currency=shown_currency,
        email=address,
        now=now,
    )
    start = _Start(
        cart=cart,
        principal=principal,
        offer=fresh,
        email=address,
        language=get_language() or "",
        checkout_id=new_id("chk"),
    )
    own = start.checkout_id if row is None else row.checkout_id
    with hoarding.room_for(network_address=network_address, checkout_id=own, units=units, now=now):
        written = _write(start, now) if row is not None else _write_behind_lane(start, now)
    if written.view is not None:
        return written.view, True
    return selectors.get_checkout(checkout_id=written.checkout_id, principal=principal, now=now), False


def _cart(*, ref: CartRef, expected_version: int | None) -> Cart:
    cart = carts.get_current_cart(ref=ref)
    if cart.is_copy:
        raise CartsUnavailableError(retry_after_seconds=5)
    if expected_version is not None and cart.version != expected_version:
        raise CartChangedError(cart.version)
    return cart


def _quote(
    *,
    known: Live | None,
    cart: Cart,
    accepted_total: int | None,
    shown_total: int | None,
    shown_currency: str,
    email: str,
    now: datetime,
) -> Offer | None:
    """Quote the cart unless the open checkout's frozen quote stands.

    :raises PriceChangedError: if a rise has to be agreed to.
    """
    shown = {line.sku_id: line.price_at_add for line in cart.lines}
    shown |= acknowledged_prices(cart.acknowledged, cart.currency)
    is_other_currency = shown_currency not in ("", cart.currency)
    row = known.row if known else None
    if row is not None and known is not None:
        bought = {line.sku_id: line.quantity for line in known.lines}
        wanted = {line.sku_id: line.quantity for line in cart.lines}
        is_same = row.currency == cart.currency and bought == wanted and row.code_ids == list(cart.codes)
        is_too_dear = accepted_total is not None and accepted_total < row.total_minor
        if is_same and row.lock_expires_at > now and not is_too_dear:
            return None
        shown |= shown_in_checkout(row, known.lines)
        if row.currency == cart.currency:
            shown_total = row.total_minor if shown_total is None and bought == wanted else shown_total
        elif accepted_total is None:
            is_other_currency = True
    fresh = _offer(cart, shown, (row.email if row else "") or email, now)
    try:
        fresh.require_agreed(accepted_total, shown_total=shown_total, is_other_currency=is_other_currency)
    except PriceChangedError:
        owner, checkout_id = cart.ref.owner if cart.ref else "", row.checkout_id if row else ""
        note_shown(fresh, owner=owner, cart_content_version=cart.content_version, checkout_id=checkout_id)
        raise
    return fresh


def _offer(cart: Cart, shown: Mapping[str, Money | None], email: str, now: datetime) -> Offer:
    owner = cart.ref.owner if cart.ref else ""
    return offer(
        wanted=cart.lines,
        currency=cart.currency,
        shown=shown,
        owner=owner,
        code_ids=cart.codes,
        now=now,
        customer_key=rows.customer_key(owner, email),
    )


def _write_behind_lane(start: _Start, now: datetime) -> _Written:
    """Begin a first checkout; a hot SKU is reserved before, so that nobody waits for the rest of this transaction."""
    demands = [StockDemand(line.sku_id, line.quantity) for line in start.cart.lines]
    if not inventory.reserve_ahead(demands=demands, owner=start.checkout_id):
        return _write(start, now)
    checkout_id = ""
    try:
        written = _write(start, now)
        checkout_id = written.checkout_id
    finally:
        if checkout_id != start.checkout_id:  # it failed, or another request was quicker
            with suppress(UnavailableError):  # then the units come back when the reservation ends
                inventory.release_owner(owner=start.checkout_id, cause="not_started")
    return written


@retrying
def _write(start: _Start, now: datetime) -> _Written:
    owner = start.principal.owner
    rows.serialize_owner(owner)
    live = lock_live(owner)
    paying, row = choose(live, start.cart)
    if paying is not None:  # it was open a moment ago
        return _Written(paying.checkout_id)
    being_paid = [other.lines.all() for other in live if other.state == CheckoutState.PAYING.value]
    require_few_units(start.cart, being_paid)  # as before, of what is paid by the time this owner's turn has come
    if row is None:
        if len(live) >= conf().open_checkouts:
            raise ReservationLimitError(conf().open_checkouts)
        return _insert(start, start.offer or _offer(start.cart, {}, start.email, now), now)
    if start.offer is not None:
        row.currency = start.cart.currency
        row.cart_content_version = start.cart.content_version
        freeze(row, start.offer, now=now)
    row.cart_version = start.cart.version
    row.cart_content_version = start.cart.content_version
    row.email = row.email or start.email
    before = row.reservation_id
    rows.reserve(row, start.offer.lines if start.offer else None)
    if start.offer is not None or row.reservation_id != before:
        rows.touch(row, now=now)
    else:
        row.save(update_fields=["cart_version", "cart_content_version", "email"])
    return _Written(row.checkout_id)


def _insert(start: _Start, fresh: Offer, now: datetime) -> _Written:
    """Reserve for a checkout that nobody can see yet, and write it with its lines."""
    row = models.Checkout(
        checkout_id=start.checkout_id,
        owner=start.principal.owner,
        user_id=start.principal.user_id,
        quote_number=0,
        currency=start.cart.currency,
        cart_version=start.cart.version,
        cart_content_version=start.cart.content_version,
        email=start.email,
        language=start.language,
        created_at=now,
        updated_at=now,
    )
    agree(row, fresh, now=now)
    reservation = rows.reserve(row, fresh.lines)
    rows.insert(row, fresh.lines)
    return _Written(row.checkout_id, checkout_view(row, fresh.lines, now=now, reservation=reservation))
