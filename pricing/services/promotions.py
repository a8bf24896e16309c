"""Promotions that are made, and customers put into segments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pricing.models import CustomerSegment, Promotion
from pricing.types import Combining, ReductionKind


@dataclass(frozen=True, slots=True)
class NewPromotion:
    """What a promotion is made of; the fields are those of `Reduction` and of the table."""

    name: str
    kind: ReductionKind
    value: int
    valid_from: datetime
    valid_until: datetime | None = None
    free: int = 0
    currency: str = ""
    sku_ids: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    segment: str = ""
    minimum_minor: int = 0
    combines: Combining = Combining.EVERYTHING
    priority: int = 0
    needs_code: bool = False
    max_uses: int | None = None
    max_uses_each: int | None = None


def add_promotion(*, promotion: NewPromotion) -> int:
    """Add a promotion and return its id. What makes no sense is refused by the table.

    :raises IntegrityError: if it makes no sense, such as more than 100 percent.
    """
    row = Promotion.objects.create(
        name=promotion.name,
        kind=promotion.kind.value,
        value=promotion.value,
        free=promotion.free,
        currency=promotion.currency,
        sku_ids=list(promotion.sku_ids),
        products=list(promotion.products),
        categories=list(promotion.categories),
        segment=promotion.segment,
        minimum_minor=promotion.minimum_minor,
        combines=promotion.combines.value,
        priority=promotion.priority,
        needs_code=promotion.needs_code,
        max_uses=promotion.max_uses,
        max_uses_each=promotion.max_uses_each,
        valid_from=promotion.valid_from,
        valid_until=promotion.valid_until,
    )
    return row.pk


def set_segment(*, user_id: int, segment: str) -> None:
    """Put a customer into a segment, or with an empty one out of any."""
    if segment:
        CustomerSegment.objects.update_or_create(user_id=user_id, defaults={"segment": segment})
    else:
        CustomerSegment.objects.filter(user_id=user_id).delete()
