"""Which prices are valid at the same time, and which of them goes first: for staff who set them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from pricing.models import Price
from pricing.types import NewPrice

Key = tuple[str, str, str]
"""SKU, currency, segment: prices of one key are each other's rivals."""


def key_of(price: Price | NewPrice) -> Key:
    """Tell whose rival a price is."""
    return price.sku_id, price.currency, price.segment


def list_rivals(prices: Sequence[Price | NewPrice]) -> Mapping[Key, Sequence[Price]]:
    """List the prices on record of the same SKU, currency and segment as these, the latest first: one query."""
    found: dict[Key, list[Price]] = defaultdict(list)
    for row in Price.objects.filter(sku_id__in={price.sku_id for price in prices}).order_by("-valid_from"):
        found[key_of(row)].append(row)
    return found


def do_overlap(one: Price | NewPrice, other: Price | NewPrice) -> bool:
    """Tell whether there is a moment at which both are valid; both are of the same key."""
    return _begins_before_end(one.valid_from, other.valid_until) and _begins_before_end(
        other.valid_from, one.valid_until
    )


def _begins_before_end(begins: datetime, ends: datetime | None) -> bool:
    return ends is None or begins < ends
