"""Reads of the catalogue."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any, Literal
from urllib.parse import quote

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from shop.catalog.errors import CursorInvalidError, ProductUnknownError, SkuUnknownError
from shop.catalog.models import Product, Sku
from shop.catalog.pictures import picture_url
from shop.catalog.rules import canonical_sku_id, search_words, sku_title
from shop.catalog.types import Page, ProductCard, SkuCard, SkuSlice
from shop.core.errors import ErrorDetail

PAGE_SIZE = 24
SLICE_LIMIT = 100


def list_cards(*, sku_ids: Collection[str]) -> dict[str, SkuCard]:
    """Look up SKUs in one query, whatever their number; unknown ids are absent, SKUs no longer sold are there."""
    wanted = {sku_id for sku_id in sku_ids if canonical_sku_id(sku_id) == sku_id}
    if not wanted:
        return {}
    skus = Sku.objects.filter(sku_id__in=wanted).select_related("product")
    return {sku.sku_id: _card(sku, sku.product) for sku in skus}


def list_cards_with(*, sku_ids: Collection[str], column: Subquery) -> dict[str, tuple[SkuCard, Any]]:
    """Look up SKUs as `list_cards` does, each with one more value about it, still in one query.

    `column` is an expression of another app in which `OuterRef("sku_id")` is the SKU, such as
    `pricing.selectors.current_price_of`.
    """
    wanted = {sku_id for sku_id in sku_ids if canonical_sku_id(sku_id) == sku_id}
    if not wanted:
        return {}
    skus = Sku.objects.filter(sku_id__in=wanted).select_related("product").annotate(more=column)
    return {sku.sku_id: (_card(sku, sku.product), sku.more) for sku in skus}


def get_card(*, sku_id: str) -> SkuCard:
    """Look up one SKU.

    :raises SkuUnknownError: if there is none.
    """
    card = list_cards(sku_ids=[sku_id]).get(sku_id)
    if card is None:
        raise SkuUnknownError(sku_id)
    return card


def get_product(*, slug: str) -> ProductCard:
    """Look up a product with all its SKUs, those no longer sold too (two queries).

    :raises ProductUnknownError: if there is none.
    """
    product = (
        Product.objects.filter(slug=slug).prefetch_related(_skus()).first()
        if slug.isascii() and slug.isprintable()
        else None
    )
    if product is None:
        raise ProductUnknownError(slug)
    return _product_card(product)


def list_products(*, query: str, page: int, category: str = "") -> Page:
    """List products with at least one SKU that is sold, 24 a page (three queries).

    Each word of `query` must be found in the title, the description, the category or one of the SKU ids, in any case.
    A page below 1 is the first, one past the end the last.
    """
    products = Product.objects.filter(Exists(Sku.objects.filter(product=OuterRef("pk"), is_sellable=True)))
    for word in search_words(query):
        products = products.filter(
            Q(title__icontains=word)
            | Q(description__icontains=word)
            | Q(category__icontains=word)
            | Exists(Sku.objects.filter(product=OuterRef("pk"), sku_id__icontains=word))
        )
    if category:
        products = products.filter(category=" ".join(search_words(category)))
    found = products.count()
    pages = max(1, -(-found // PAGE_SIZE))
    number = min(max(page, 1), pages)
    first = (number - 1) * PAGE_SIZE
    shown = products.order_by("position", "id").prefetch_related(_skus())[first : first + PAGE_SIZE]
    return Page(products=tuple(_product_card(product) for product in shown), number=number, pages=pages, found=found)


def list_categories() -> tuple[str, ...]:
    """List the categories in which something is sold, by name (one query)."""
    sold = Sku.objects.filter(product=OuterRef("pk"), is_sellable=True)
    names = Product.objects.filter(Exists(sold)).order_by("category").values_list("category", flat=True).distinct()
    return tuple(names)


def list_skus(*, query: str, limit: int, cursor: str) -> SkuSlice:
    """List SKUs that are sold by id, at most `limit` (1 to 100) after `cursor` (empty: from the start; one query).

    Words are found as in `list_products`.

    :raises CursorInvalidError: if `cursor` was not given out by this function.
    """
    skus = Sku.objects.filter(is_sellable=True).select_related("product").order_by("sku_id")
    for word in search_words(query):
        skus = skus.filter(
            Q(sku_id__icontains=word)
            | Q(product__title__icontains=word)
            | Q(product__description__icontains=word)
            | Q(product__category__icontains=word)
        )
    if cursor:
        skus = skus.filter(sku_id__gt=_read_cursor(cursor))
    size = min(max(limit, 1), SLICE_LIMIT)
    found = list(skus[: size + 1])
    shown = found[:size]
    return SkuSlice(
        skus=tuple(_card(sku, sku.product) for sku in shown),
        next_cursor=_write_cursor(shown[-1].sku_id) if len(found) > size else "",
    )


def _write_cursor(sku_id: str) -> str:
    return base64.urlsafe_b64encode(sku_id.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    if canonical_sku_id(text) != text:
        raise CursorInvalidError(errors=(ErrorDetail("/cursor", "cursor_invalid"),))
    return text


def _skus() -> Prefetch[Literal["skus"], QuerySet[Sku], str]:
    return Prefetch("skus", queryset=Sku.objects.order_by("position", "id"))


def _options(sku: Sku) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in sku.options)


def _card(sku: Sku, product: Product) -> SkuCard:
    options = _options(sku)
    return SkuCard(
        sku_id=sku.sku_id,
        title=sku_title(product.title, options),
        product_title=product.title,
        product_slug=product.slug,
        options=options,
        image_url=picture_url(product.slug, options),
        url=f"/p/{product.slug}/?sku={quote(sku.sku_id, safe='')}",
        is_sellable=sku.is_sellable,
    )


def _product_card(product: Product) -> ProductCard:
    skus = tuple(_card(sku, product) for sku in product.skus.all())
    face = next((sku for sku in skus if sku.is_sellable), None)
    return ProductCard(
        slug=product.slug,
        title=product.title,
        category=product.category,
        description=product.description,
        image_url=picture_url(product.slug, face.options if face else ()),
        url=f"/p/{product.slug}/",
        skus=skus,
    )
