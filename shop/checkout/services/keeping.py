"""Keep, renew or give back what a checkout has reserved."""

from __future__ import annotations

from datetime import datetime

from cart import selectors as carts
from cart.types import Cart
from inventory import selectors as stock
from inventory import services as inventory
from inventory.errors import ReservationExpiredError, ReservationUnknownError
from inventory.types import ReservationState
from pricing.rules import price_demands
from pricing.types import Demand, read_reductions
from shop.checkout import hoarding, models, rules, selectors
from shop.checkout.errors import PriceChangedError
from shop.checkout.selectors.checkouts import QuotedLine
from shop.checkout.services import rows
from shop.checkout.services.agreeing import note_requoted
from shop.checkout.services.quoting import freeze, requote
from shop.checkout.types import CheckoutState, CheckoutView, Principal
from shop.core.db import prepared, retrying
from shop.core.money import Money


def reserve_again(
    *,
    checkout_id: str,
    principal: Principal,
    accepted_total: int | None,
    now: datetime,
    network_address: str = "",
) -> CheckoutView:
    """Reserve the lines once more after the reservation ended; a live one stays as it is.

    When the price lock is over the lines are quoted anew: a fall is applied, a rise needs `accepted_total`.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it is over.
    :raises PaymentInProgressError: if it is being paid.
    :raises LineUnavailableError: if a line is not sold any more.
    :raises PriceChangedError: if a rise has to be agreed to; nothing is reserved.
    :raises InsufficientStockError: if a line is short; nothing is reserved.
    :raises AddressLimitError: if so much is reserved from `network_address` that no more is.
    """
    row = rows.read(checkout_id=checkout_id, principal=principal)
    rows.require_open(row)
    fresh = requote(row, now=now) if row.lock_expires_at <= now else None
    if fresh is not None:
        try:
            fresh.require_agreed(accepted_total, shown_total=row.total_minor)
        except PriceChangedError:
            note_requoted(row, fresh)
            raise

    @retrying
    def write() -> None:
        locked = rows.lock(checkout_id=checkout_id, principal=principal)
        rows.require_open(locked)
        if fresh is not None and locked.quote_number == row.quote_number:
            freeze(locked, fresh, now=now)
        rows.reserve(locked)
        rows.touch(locked, now=now)

    units = sum(line.quantity for line in row.lines.all())
    with hoarding.room_for(network_address=network_address, checkout_id=checkout_id, units=units, now=now):
        write()
    return selectors.get_checkout(checkout_id=checkout_id, principal=principal, now=now)


# A key that was there is of a request whose worker died, or lost its answer, after it had renewed.
_NOTE_RENEWAL = """
UPDATE checkout_checkout SET renewal_key = %(key)s
 WHERE checkout_id = %(checkout_id)s AND state = 'open' AND renewal_key <> %(key)s
RETURNING checkout_id
"""


def renew(*, checkout_id: str, principal: Principal, now: datetime, key: str = "") -> CheckoutView:
    """Add ten minutes to a live reservation. Touching the cart or the checkout never does.

    The last request's `key`, if it has one, is kept: repeated, it adds nothing.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it is over.
    :raises PaymentInProgressError: if it is being paid: then the reservation is pinned.
    :raises ReservationExpiredError: if the reservation is over.
    :raises RenewalLimitError: if it was renewed as often as may be.
    """
    row = rows.read(checkout_id=checkout_id, principal=principal)
    rows.require_open(row)
    if not row.reservation_id:
        raise ReservationExpiredError

    @retrying
    def write() -> None:
        if key and not prepared(_NOTE_RENEWAL, {"checkout_id": checkout_id, "key": key}):
            rows.require_open(rows.read(checkout_id=checkout_id, principal=principal))
            return
        inventory.renew(reservation_id=row.reservation_id)

    try:
        write()
    except ReservationUnknownError as error:  # one that ended long ago is deleted
        raise ReservationExpiredError from error
    return selectors.get_checkout(checkout_id=checkout_id, principal=principal, now=now)


def cancel(*, checkout_id: str, principal: Principal, now: datetime) -> None:
    """Give everything back and end the checkout. The cart stays. Cancelling twice is success.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it ended otherwise: it was ordered, or is too old.
    :raises PaymentInProgressError: if it is being paid.
    """

    @retrying
    def write() -> None:
        row = rows.lock(checkout_id=checkout_id, principal=principal)
        if row.state == CheckoutState.CANCELLED.value:
            return
        rows.require_open(row)
        rows.end(row, state=CheckoutState.CANCELLED, cause="cancelled", now=now)

    write()


def give_back_removed(*, checkout_id: str, principal: Principal, now: datetime) -> bool:
    """Let an open checkout follow what was taken out of the cart meanwhile; tell whether anything changed.

    The rule for a cart that is edited while its checkout is open: what was removed or lowered leaves the checkout and
    its units go back, at the frozen prices and by the frozen promotions and codes, without asking. What was added or
    raised joins only when the shopper comes back through `start_checkout`, which quotes and reserves it; until then it
    stands in the cart, unpaid. An emptied cart cancels the checkout. Called by `pay`, and by the sweep for all open
    checkouts.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    """
    row = rows.read(checkout_id=checkout_id, principal=principal)
    if row.state != CheckoutState.OPEN.value:
        return False
    return follow_cart(row, carts.get_current_cart(ref=rows.ref_of(row.owner)), principal=principal, now=now)


def follow_cart(row: models.Checkout, cart: Cart, *, principal: Principal, now: datetime) -> bool:
    """Let an open checkout follow this cart of its owner, by the rule of `give_back_removed`."""
    if cart.is_copy or cart.content_version <= row.cart_content_version:
        return False
    return _follow(row.checkout_id, principal, cart, now)


@retrying
def _follow(checkout_id: str, principal: Principal, cart: Cart, now: datetime) -> bool:
    row = rows.lock(checkout_id=checkout_id, principal=principal)
    if row.state != CheckoutState.OPEN.value or cart.content_version <= row.cart_content_version:
        return False
    lines = list(row.lines.all())
    bought = {line.sku_id: line.quantity for line in lines}
    wanted = {line.sku_id: line.quantity for line in cart.lines}
    kept = rules.remaining(bought, wanted)
    if not kept:
        rows.end(row, state=CheckoutState.CANCELLED, cause="cart_emptied", now=now)
        return True
    if kept == wanted and cart.currency == row.currency:  # the checkout holds all of the cart again, and nothing else
        row.cart_version, row.cart_content_version = cart.version, cart.content_version
        row.save(update_fields=["cart_version", "cart_content_version"])
    if kept == bought:
        return False
    quote = price_demands(
        demands=[Demand(sku_id, quantity) for sku_id, quantity in kept.items()],
        prices={line.sku_id: Money(line.unit_price_minor, row.currency) for line in lines},
        currency=row.currency,
        reductions=read_reductions(row.reductions),
    )
    taken = {line.sku_id: line.discount_minor for line in quote.lines}
    rows.freeze(row, quote, now=now, is_new_quote=False)
    cut = [
        QuotedLine(
            sku_id=line.sku_id,
            title=line.title,
            quantity=kept[line.sku_id],
            unit_price_minor=line.unit_price_minor,
            discount_minor=taken[line.sku_id],
            price_at_add_minor=line.price_at_add_minor,
            card=None,
        )
        for line in lines
        if line.sku_id in kept
    ]
    rows.replace_lines(row, cut)
    if _is_reserved(row):
        rows.reserve(row)  # fewer units than before: the difference goes back
    rows.touch(row, now=now)
    return True


def _is_reserved(row: models.Checkout) -> bool:
    """Tell whether the checkout's reservation is live; one that is over is not made again by the way."""
    if not row.reservation_id:
        return False
    try:
        return stock.get_reservation(reservation_id=row.reservation_id).state is ReservationState.SOFT
    except ReservationUnknownError:  # one that ended long ago is deleted
        return False
