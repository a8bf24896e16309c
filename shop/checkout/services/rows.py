"""What the services share: locking a checkout, writing its quote, reserving its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from cart.types import CartRef
from inventory import services as inventory
from inventory.errors import ReservationExpiredError, ReservationUnknownError
from inventory.types import ReservationView, StockDemand
from pricing import services as pricing
from pricing.types import PriceQuote, discount_rows, reduction_rows
from shop.checkout import models
from shop.checkout.conf import conf
from shop.checkout.errors import CheckoutCancelledError, CheckoutUnknownError, PaymentInProgressError
from shop.checkout.selectors import is_id
from shop.checkout.selectors.checkouts import QuotedLine
from shop.checkout.types import CheckoutState, Principal
from shop.core.db import columns_of, instance_of, prepared, rows, values_of
from shop.core.ids import hash_token

Line = QuotedLine | models.CheckoutLine

_READ = f"""
SELECT {columns_of(models.Checkout, "c")} FROM checkout_checkout c
 WHERE c.checkout_id = %(checkout_id)s AND c.owner = %(owner)s
"""  # noqa: S608 - put together from constants
_LOCK = f"{_READ} FOR NO KEY UPDATE"

_FIELDS = [str(field.column) for field in models.Checkout._meta.concrete_fields]  # noqa: SLF001 - documented
_SAVE = f"""
UPDATE checkout_checkout SET {", ".join(f"{name} = %({name})s" for name in _FIELDS)}
 WHERE checkout_id = %(checkout_id)s RETURNING checkout_id
"""  # noqa: S608 - put together from constants
_ADD_LINES = """
INSERT INTO checkout_checkoutline
       (checkout_id, position, sku_id, title, quantity, unit_price_minor, discount_minor, price_at_add_minor)
SELECT {of}, l.position - 1, l.sku_id, l.title, l.quantity, l.unit_price, l.discount, l.added
  FROM unnest(%(line_skus)s::text[], %(line_titles)s::text[], %(line_quantities)s::int[], %(line_prices)s::bigint[],
              %(line_discounts)s::bigint[], %(line_added)s::bigint[])
       WITH ORDINALITY AS l (sku_id, title, quantity, unit_price, discount, added, position)
RETURNING id
"""
_REPLACE_LINES = _ADD_LINES.format(of="%(checkout_id)s")
_INSERT = f"""
WITH made AS (
       INSERT INTO checkout_checkout ({", ".join(_FIELDS)}) VALUES ({", ".join(f"%({name})s" for name in _FIELDS)})
       RETURNING checkout_id)
{_ADD_LINES.format(of="(SELECT checkout_id FROM made)")}
"""  # noqa: S608 - put together from constants


def ref_of(owner: str) -> CartRef:
    """Read back the cart ref that an owner text stands for."""
    kind, _, key = owner.partition(":")
    return CartRef("u" if kind == "u" else "g", key)


def serialize_owner(owner: str) -> None:
    """Let one request at a time of this owner change which checkout is open, until the transaction ends."""
    rows("SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(%s, 5150))", [f"checkout:{owner}"])


def read(*, checkout_id: str, principal: Principal) -> models.Checkout:
    """Read a checkout of this principal, whatever its state, without a lock.

    :raises CheckoutUnknownError: if there is none of this id, or it is another's.
    """
    return _one(_READ, checkout_id, principal)


def lock(*, checkout_id: str, principal: Principal) -> models.Checkout:
    """Lock a checkout of this principal until the transaction ends.

    :raises CheckoutUnknownError: if there is none of this id, or it is another's.
    """
    return _one(_LOCK, checkout_id, principal)


def _one(sql: str, checkout_id: str, principal: Principal) -> models.Checkout:
    found = prepared(sql, {"checkout_id": checkout_id, "owner": principal.owner}) if is_id(checkout_id) else ()
    if not found:
        raise CheckoutUnknownError
    return instance_of(models.Checkout, found[0])


def require_open(row: models.Checkout) -> None:
    """Refuse what only an open checkout can do.

    :raises PaymentInProgressError: if it is being paid.
    :raises CheckoutCancelledError: if it is over.
    """
    if row.state == CheckoutState.PAYING.value:
        raise PaymentInProgressError(retry_after_seconds=3)
    if row.state != CheckoutState.OPEN.value:
        raise CheckoutCancelledError


def touch(row: models.Checkout, *, now: datetime) -> None:
    """Save a locked checkout under its next version."""
    row.version += 1
    row.updated_at = now
    prepared(_SAVE, values_of(row))


def insert(row: models.Checkout, lines: Sequence[QuotedLine]) -> None:
    """Write a checkout that there was not, with its lines (one statement)."""
    prepared(_INSERT, values_of(row) | _columns(lines))


def freeze(row: models.Checkout, quote: PriceQuote, *, now: datetime, is_new_quote: bool = True) -> None:
    """Set the totals of a checkout by a quote; the caller writes row and lines.

    A new quote starts a new price lock; lines that were only cut keep theirs, and are priced by the reductions that
    were frozen with it.
    """
    row.subtotal_minor, row.total_minor = quote.subtotal.minor, quote.total.minor
    row.reductions, row.discounts = reduction_rows(quote.reductions), discount_rows(quote.discounts)
    row.quote_number += 1
    if is_new_quote:
        row.lock_expires_at = now + timedelta(seconds=conf().lock_seconds)


def replace_lines(row: models.Checkout, lines: Sequence[QuotedLine]) -> None:
    """Write other lines into a locked checkout (two statements)."""
    row.lines.all().delete()
    prepared(_REPLACE_LINES, {"checkout_id": row.checkout_id, **_columns(lines)})


def _columns(lines: Sequence[QuotedLine]) -> dict[str, Any]:
    return {
        "line_skus": [line.sku_id for line in lines],
        "line_titles": [line.title for line in lines],
        "line_quantities": [line.quantity for line in lines],
        "line_prices": [line.unit_price_minor for line in lines],
        "line_discounts": [line.discount_minor for line in lines],
        "line_added": [line.price_at_add_minor for line in lines],
    }


def reserve(row: models.Checkout, lines: Iterable[Line] | None = None) -> ReservationView:
    """Reserve the lines of a locked checkout, all or nothing; the caller saves the row.

    `lines` spares reading them where the caller has them.

    A live reservation of the same lines is kept as it is, one of other lines is adjusted by the difference.

    :raises InsufficientStockError: if a SKU is short; nothing changed.
    :raises StockBusyError: if the stock rows are locked for too long.
    """
    wanted = row.lines.all() if lines is None else lines
    demands = tuple(StockDemand(line.sku_id, line.quantity) for line in wanted)
    reservation = inventory.reserve(demands=demands, owner=row.checkout_id)
    row.reservation_id = reservation.reservation_id
    return reservation


def pin(row: models.Checkout, lines: Sequence[Line]) -> bool:
    """Keep what a locked checkout has reserved for as long as a payment may run; reserve it again if that is over.

    Tells whether there is another reservation now; the caller saves the row then.

    :raises InsufficientStockError: if the reservation was over and a SKU is short.
    :raises StockBusyError: if the stock rows are locked for too long.
    """
    if row.reservation_id:
        with suppress(ReservationExpiredError, ReservationUnknownError):
            kept = inventory.pin(reservation_id=row.reservation_id, seconds=conf().pin_seconds)
            if {demand.sku_id: demand.quantity for demand in kept.lines} == {
                line.sku_id: line.quantity for line in lines
            }:
                return False
    reserve(row, lines)
    inventory.pin(reservation_id=row.reservation_id, seconds=conf().pin_seconds)
    return True


def codes_of(row: models.Checkout) -> list[int]:
    """List the ids of the codes that take something off a checkout."""
    return [discount["code_id"] for discount in row.discounts if discount["code_id"] is not None]


def promotions_of(row: models.Checkout) -> list[int]:
    """List the ids of the promotions with a limit that take something off a checkout."""
    counted = {reduction["promotion_id"] for reduction in row.reductions if reduction.get("is_counted")}
    return sorted(counted & {discount["promotion_id"] for discount in row.discounts})


def claim_uses(row: models.Checkout) -> None:
    """Claim a use of each of its codes and limited promotions for a checkout whose payment begins.

    :raises PromotionUsedUpError, CodeUsedUpError: if one has no use left.
    """
    codes, promotions = codes_of(row), promotions_of(row)
    if codes or promotions:
        pricing.claim_uses(
            checkout_id=row.checkout_id,
            owner=row.owner,
            customer_key=customer_key(row.owner, row.email),
            code_ids=codes,
            promotion_ids=promotions,
        )


def finish_uses(row: models.Checkout, *, order_number: str) -> None:
    """Make the uses of a checkout's codes and promotions final, in the transaction of its order.

    :raises PromotionUsedUpError, CodeUsedUpError: if one was given back before the money came, and has no use left.
    """
    codes, promotions = codes_of(row), promotions_of(row)
    if codes or promotions:
        pricing.finish_claims(
            checkout_id=row.checkout_id,
            owner=row.owner,
            customer_key=customer_key(row.owner, row.email),
            order_number=order_number,
            code_ids=codes,
            promotion_ids=promotions,
        )


def release_uses(row: models.Checkout) -> None:
    """Give the uses back that no order has made final. Before its stock: the order of locks."""
    if codes_of(row) or promotions_of(row):
        pricing.release_claims(checkout_id=row.checkout_id)


def customer_key(owner: str, email: str) -> str:
    """Name whose uses of codes and promotions are counted together: the customer, or whoever reads the guest's mail."""
    if owner.startswith("u:") or not email:
        return owner
    return "m:" + hash_token(email.strip().lower())


def end(row: models.Checkout, *, state: CheckoutState, cause: str, now: datetime) -> None:
    """End a locked checkout and give its uses of codes and promotions and its units back."""
    row.state = state.value
    row.end_cause = cause
    row.ended_at = now
    touch(row, now=now)
    release_uses(row)
    if row.reservation_id:
        inventory.release(reservation_id=row.reservation_id, cause=cause)
