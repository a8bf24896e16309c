"""What shoppers defer: saved lines as recorded, with the price then and now, for staff and for personalization."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce

from cart.codec import row_to_line
from cart.models import CartRecord, SavedLine
from cart.offers import currency
from cart.types import CartLine, CartRef, DeferredLine
from pricing import selectors as pricing
from shop.core.money import Money

BATCH = 500


def with_prices(rows: QuerySet[Any], *, now: datetime) -> QuerySet[Any]:
    """Add the price in force to saved lines, in minor units of the currency of the price when saved."""
    same = Coalesce(OuterRef("currency"), Value(currency()))
    return rows.annotate(  # type: ignore[no-any-return]
        price_now_minor=pricing.current_price_of(sku_id=OuterRef("sku_id"), currency=same, now=now)
    )


def with_sku(rows: QuerySet[Any], sku_id: str) -> QuerySet[Any]:
    """Keep the saved lines of one SKU; the index finds the lists that have it before they are unfolded."""
    return rows.filter(skus__contains=[sku_id], sku_id=sku_id)


def list_recorded_saved(*, user_ids: Collection[int]) -> dict[int, tuple[CartLine, ...]]:
    """List customers' saved lines as last recorded; who has none is absent. One query by the owners' index."""
    owners = {CartRef("u", str(user_id)).owner: user_id for user_id in user_ids}
    found = CartRecord.objects.filter(owner__in=owners, state=CartRecord.State.ACTIVE).exclude(saved=[])
    return {owners[owner]: tuple(map(row_to_line, saved)) for owner, saved in found.values_list("owner", "saved")}


def list_deferred(
    *,
    now: datetime,
    limit: int,
    cursor: str = "",
    sku_id: str = "",
    user_id: int | None = None,
    has_dropped: bool = False,
) -> tuple[DeferredLine, ...]:
    """List saved lines, one query: of all shoppers, or of one SKU, of one customer, or whose price fell since.

    In order of the records, those behind `cursor` (of the last line seen; empty: from the start).

    :raises ValueError: if `cursor` is none of ours.
    """
    rows = with_prices(SavedLine.objects.all(), now=now)
    if sku_id:
        rows = with_sku(rows, sku_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if has_dropped:
        rows = rows.filter(price_now_minor__lt=F("price_minor"))
    if cursor:
        record, colon, last_sku = cursor.partition(":")
        if not colon or not record.isdecimal() or len(record) > 18:  # noqa: PLR2004 - a bigint's digits
            raise ValueError(cursor)
        same = rows.filter(record_id=int(record), sku_id__gt=last_sku)
        rows = same | rows.filter(record_id__gt=int(record))
    return tuple(to_line(row) for row in rows.order_by("record_id", "sku_id")[:limit])


def iterate_deferred(
    *, now: datetime, sku_id: str = "", user_id: int | None = None, has_dropped: bool = False
) -> Iterator[DeferredLine]:
    """Go through all that `list_deferred` lists, a batch a query, so that no transaction is long."""
    cursor = ""
    while True:
        lines = list_deferred(
            now=now, limit=BATCH, cursor=cursor, sku_id=sku_id, user_id=user_id, has_dropped=has_dropped
        )
        yield from lines
        if len(lines) < BATCH:
            return
        cursor = lines[-1].cursor


def to_line(row: Any) -> DeferredLine:  # noqa: ANN401 - a SavedLine with its price
    """Read a row of `with_prices`."""
    minor: int | None = row.price_now_minor
    return DeferredLine(
        cursor=row.id,
        user_id=row.user_id,
        sku_id=row.sku_id,
        quantity=row.quantity,
        saved_at=row.added_at,
        price_then=None if row.price_minor is None else Money(row.price_minor, row.currency or currency()),
        price_now=None if minor is None else Money(minor, row.currency or currency()),
    )
