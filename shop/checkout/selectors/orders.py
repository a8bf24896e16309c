"""Reads of orders: to their owner, to whoever has the secret from their mail, and to those who follow them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from pricing.types import read_discounts
from shop.checkout import access, models
from shop.checkout.errors import OrderUnknownError
from shop.checkout.selectors.ids import is_id
from shop.checkout.types import Address, OrderLineView, OrderSlice, OrderView, PaymentState, Principal
from shop.core.errors import ErrorDetail, RejectedError
from shop.core.money import Money


def get_order(*, number: str, principal: Principal | None = None, token: str | None = None) -> OrderView:
    """Show an order to its owner, or to whoever has the secret from its mail.

    :raises OrderUnknownError: if there is none of this number, or neither fits it.
    """
    allowed = Q(pk__in=[])
    if principal is not None:
        allowed |= Q(owner=principal.owner)
    if token is not None and access.verify_token(token=token) == number:
        allowed |= Q(number=number)
    row = _orders().filter(allowed, number=number).first() if is_id(number) else None
    if row is None:
        raise OrderUnknownError
    return _order_view(row)


def find_order(*, number: str, email: str) -> OrderView | None:
    """Find an order by its number and the mail address it was placed with, in any case. The edge limits the tries."""
    row = (
        _orders().filter(number=number, email__iexact=email.strip()).first()
        if is_id(number) and "\x00" not in email
        else None
    )
    return _order_view(row) if row else None


def list_orders(*, principal: Principal, limit: int = 20, cursor: str = "") -> OrderSlice:
    """List a principal's orders, newest first (two queries).

    :raises RejectedError: if the cursor is not one of ours.
    """
    mine = _orders().filter(owner=principal.owner).order_by("-placed_at", "-number")
    if cursor:
        placed_at, number = _read_cursor(cursor)
        mine = mine.filter(Q(placed_at__lt=placed_at) | Q(placed_at=placed_at, number__lt=number))
    found = list(mine[: limit + 1])
    shown = found[:limit]
    next_cursor = _cursor(shown[-1]) if len(found) > limit else ""
    return OrderSlice(orders=tuple(_order_view(row) for row in shown), next_cursor=next_cursor)


def find_last_address(*, principal: Principal) -> Address | None:
    """Give where a customer's last order went, for the form of the next; None for guests and for a first order."""
    if principal.user_id is None:
        return None
    mine = models.Order.objects.filter(owner=principal.owner).order_by("-placed_at")
    return address_of(mine.values_list("address", flat=True).first() or {})


def list_order_numbers(*, placed_from: datetime, after: str = "", limit: int = 500) -> tuple[tuple[str, datetime], ...]:
    """List numbers and times of orders, oldest first, for whoever follows them: later than a time and number."""
    since = models.Order.objects.filter(
        Q(placed_at__gt=placed_from) | Q(placed_at=placed_from, number__gt=after),
    )
    return tuple(since.order_by("placed_at", "number").values_list("number", "placed_at")[:limit])


def get_order_for_mail(*, number: str) -> OrderView:
    """Show an order to the sender of its mail.

    :raises OrderUnknownError: if there is none of this number.
    """
    row = _orders().filter(number=number).first()
    if row is None:
        raise OrderUnknownError
    return _order_view(row)


def address_of(stored: dict[str, str]) -> Address | None:
    """Read an address as stored; None where there is none yet."""
    if not stored.get("line1"):
        return None
    return Address(**{field.name: stored.get(field.name, "") for field in fields(Address)})


def _orders() -> QuerySet[models.Order]:
    return models.Order.objects.select_related("payment").prefetch_related("lines")


def _order_view(row: models.Order) -> OrderView:
    return OrderView(
        number=row.number,
        placed_at=row.placed_at,
        email=row.email,
        address=Address(**{field.name: row.address.get(field.name, "") for field in fields(Address)}),
        lines=tuple(
            OrderLineView(
                sku_id=line.sku_id,
                title=line.title,
                quantity=line.quantity,
                unit_price=Money(line.unit_price_minor, row.currency),
                line_total=Money(line.line_total_minor, row.currency),
                image_url=line.image_url,
                discount=Money(line.discount_minor, row.currency),
            )
            for line in row.lines.all()
        ),
        subtotal=Money(row.subtotal_minor, row.currency),
        total=Money(row.total_minor, row.currency),
        payment_state=PaymentState(row.payment.state),
        owner=row.owner,
        discounts=read_discounts(row.discounts, row.currency),
        language=row.language,
    )


def _cursor(row: models.Order) -> str:
    text = f"{int(row.placed_at.timestamp() * 1_000_000)}|{row.number}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        micros, _, number = text.partition("|")
        placed_at = datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=int(micros))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise RejectedError(errors=(ErrorDetail("/cursor", "cursor_invalid"),)) from error
    if not is_id(number):
        raise RejectedError(errors=(ErrorDetail("/cursor", "cursor_invalid"),))
    return placed_at, number
