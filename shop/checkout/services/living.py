"""What an owner has under way: the checkouts that are open or being paid, read and locked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cart.types import Cart
from shop.checkout import models
from shop.checkout.conf import conf
from shop.checkout.errors import CartEmptyError, UnitsLimitError
from shop.checkout.selectors.checkouts import LINES, QuotedLine, read_lines
from shop.checkout.services import rows
from shop.checkout.services.clearing import finish_order
from shop.checkout.types import CheckoutState
from shop.core.db import columns_of, instance_of, prepared


@dataclass(frozen=True, slots=True)
class Live:
    """A checkout that is open or being paid."""

    row: models.Checkout
    lines: tuple[QuotedLine, ...]


_LIVE = f"""
SELECT (SELECT o.number FROM checkout_order o
         WHERE o.owner = %(owner)s AND o.cart_content_version = %(version)s),
       {LINES}, {columns_of(models.Checkout, "c")}
  FROM (SELECT) AS one
  LEFT JOIN checkout_checkout c ON c.owner = %(owner)s AND c.state IN ('open', 'paying')
"""  # noqa: S608 - put together from constants
_LOCK = f"""
SELECT {columns_of(models.Checkout, "c")} FROM checkout_checkout c
 WHERE c.owner = %(owner)s AND c.state IN ('open', 'paying') ORDER BY c.checkout_id FOR NO KEY UPDATE
"""  # noqa: S608 - put together from constants


def read_live(cart: Cart, now: datetime) -> list[Live]:
    """Read what the cart's owner has under way (one statement).

    :raises CartEmptyError: if there is nothing in the cart but what was ordered.
    """
    owner = cart.ref.owner if cart.ref else ""
    found = prepared(_LIVE, {"owner": owner, "version": cart.content_version})
    number = found[0][0]
    if number:  # ordered, but the process died before the cart was cleared
        finish_order(number=number, now=now)
        raise CartEmptyError
    if not cart.lines:
        raise CartEmptyError
    return [
        Live(instance_of(models.Checkout, columns), read_lines(lines)) for _, lines, *columns in found if columns[0]
    ]


def require_few_units(cart: Cart, paying: Iterable[Iterable[rows.Line]]) -> int:
    """Count the cart's units, which together with the lines that the owner is paying for must not be too many.

    :raises UnitsLimitError: if they are.
    """
    units = sum(line.quantity for line in cart.lines)
    held = sum(line.quantity for lines in paying for line in lines)
    if 0 < conf().reserved_units < held + units:
        raise UnitsLimitError(conf().reserved_units)
    return units


def choose(live: Sequence[models.Checkout], cart: Cart) -> tuple[models.Checkout | None, models.Checkout | None]:
    """Pick out the checkout that pays for this very cart, and the open one."""
    being_paid = (row for row in live if row.state == CheckoutState.PAYING.value)
    paying = next((row for row in being_paid if row.cart_content_version == cart.content_version), None)
    return paying, next((row for row in live if row.state == CheckoutState.OPEN.value), None)


def lock_live(owner: str) -> list[models.Checkout]:
    """Lock what an owner has under way until the transaction ends, in the order of ids (one statement)."""
    return [instance_of(models.Checkout, found) for found in prepared(_LOCK, {"owner": owner})]
