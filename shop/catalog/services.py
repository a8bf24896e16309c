"""Writes of the catalogue that staff may do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from shop.catalog.errors import SkuInvalidError, SkuUnknownError
from shop.catalog.models import Product, Sku
from shop.catalog.rules import canonical_sku_id
from shop.core.errors import ErrorDetail


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


@dataclass(frozen=True, slots=True)
class NewSku:
    """A SKU to be added."""

    sku_id: str
    options: tuple[tuple[str, str], ...] = ()
    is_sellable: bool = True


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product to be added, with its SKUs in the order shown."""

    slug: str
    title: str
    category: str
    skus: tuple[NewSku, ...]
    description: str = ""
    position: int = 0


def add_products(*, products: Sequence[NewProduct]) -> int:
    """Add the products that are not there yet, by slug, with their SKUs; how many were added. Others stay as they are.

    :raises SkuInvalidError: if a SKU id is not in its canonical form; then nothing is added.
    """
    for product in products:
        for sku in product.skus:
            if canonical_sku_id(sku.sku_id) != sku.sku_id:
                raise SkuInvalidError(errors=(ErrorDetail(f"/{product.slug}", "sku_invalid"),))
    with transaction.atomic():
        known = set(
            Product.objects.filter(slug__in=[product.slug for product in products]).values_list("slug", flat=True)
        )
        missing = [product for product in products if product.slug not in known]
        rows = Product.objects.bulk_create(
            Product(
                slug=product.slug,
                title=product.title,
                category=product.category,
                description=product.description,
                position=product.position,
            )
            for product in missing
        )
        Sku.objects.bulk_create(
            Sku(
                sku_id=sku.sku_id,
                product=row,
                options=[list(pair) for pair in sku.options],
                position=position,
                is_sellable=sku.is_sellable,
            )
            for product, row in zip(missing, rows, strict=True)
            for position, sku in enumerate(product.skus)
        )
    return len(missing)


def _set_sellable(sku_ids: Collection[str], *, is_sellable: bool) -> tuple[str, ...]:
    with transaction.atomic():
        skus = list(Sku.objects.select_for_update().filter(sku_id__in=sku_ids).order_by("sku_id"))
        missing = set(sku_ids) - {sku.sku_id for sku in skus}
        if missing:
            raise SkuUnknownError(min(missing))
        changed = [sku.sku_id for sku in skus if sku.is_sellable != is_sellable]
        Sku.objects.filter(sku_id__in=changed).update(is_sellable=is_sellable)
    return tuple(changed)
