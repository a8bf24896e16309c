"""Writes of the catalogue that staff may do."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from shop.catalog.errors import SkuUnknownError
from shop.catalog.models import Sku


def stop_selling(*, sku_ids: Collection[str]) -> tuple[str, ...]:
    """Take SKUs off sale; give back those that were on sale until then. Carts keep them, named as no longer sold.

    :raises SkuUnknownError: if one of them does not exist; then none is changed.
    """
    return _set_sellable(sku_ids, is_sellable=False)


def start_selling(*, sku_ids: Collection[str]) -> tuple[str, ...]:
    """Put SKUs on sale; give back those that were not until then.

    :raises SkuUnknownError: if one of them does not exist; then none is changed.
    """
    return _set_sellable(sku_ids, is_sellable=True)


def _set_sellable(sku_ids: Collection[str], *, is_sellable: bool) -> tuple[str, ...]:
    with transaction.atomic():
        skus = list(Sku.objects.select_for_update().filter(sku_id__in=sku_ids).order_by("sku_id"))
        missing = set(sku_ids) - {sku.sku_id for sku in skus}
        if missing:
            raise SkuUnknownError(min(missing))
        changed = [sku.sku_id for sku in skus if sku.is_sellable != is_sellable]
        Sku.objects.filter(sku_id__in=changed).update(is_sellable=is_sellable)
    return tuple(changed)
