"""Reads of the catalogue."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from shop.catalog.errors import CursorInvalidError, ProductUnknownError, SkuUnknownError
from shop.catalog.models import Product, Sku
from shop.catalog.pictures import picture_url
from shop.catalog.rules import canonical_sku_id, search_words, sku_title
from shop.catalog.types import Page, ProductCard, SkuCard, SkuSlice
from shop.core.db import prepared
from shop.core.errors import ErrorDetail

PAGE_SIZE = 24
SLICE_LIMIT = 100


_CARD = "s.sku_id, s.options, s.is_sellable, t.title, t.slug"
SKU_ROWS = "catalog_sku s JOIN catalog_product t ON t.id = s.product_id"
"""SKUs (`s`: `sku_id`) with their products (`t`: `slug`, `category`), for other apps' statements about them."""
_CARDS = f"SELECT {_CARD} FROM {SKU_ROWS} WHERE s.sku_id = ANY(%(sku_ids)s)"  # noqa: S608 - constants


def list_cards(*, sku_ids: Collection[str]) -> dict[str, SkuCard]:
    """Look up SKUs in one query, whatever their number; unknown ids are absent, SKUs no longer sold are there."""
    wanted = _possible(sku_ids)
    if not wanted:
        return {}
    return {row[0]: _read_card(*row) for row in prepared(_CARDS, {"sku_ids": wanted})}


def list_cards_with(
    *, sku_ids: Collection[str], column: str, params: Mapping[str, Any]
) -> dict[str, tuple[SkuCard, Any]]:
    """Look up SKUs as `list_cards` does, each with one more value about it, still in one query.

    `column` is a constant expression of another app about the SKU of a row called `s`, such as
    `pricing.selectors.CURRENT_PRICE`, `params` are its parameters.
    """
    wanted = _possible(sku_ids)
    if not wanted:
        return {}
    sql = _CARDS.replace(" FROM", f", {column} FROM", 1)
    return {row[0]: (_read_card(*row[:-1]), row[-1]) for row in prepared(sql, {**params, "sku_ids": wanted})}


def _possible(sku_ids: Collection[str]) -> list[str]:
    return [sku_id for sku_id in set(sku_ids) if canonical_sku_id(sku_id) == sku_id]


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


def _read_card(sku_id: str, options: str, is_sellable: bool, title: str, slug: str) -> SkuCard:  # noqa: FBT001 - a row
    return _make_card(sku_id, options, title, slug, is_sellable=is_sellable)


def _card(sku: Sku, product: Product) -> SkuCard:
    return _make_card(sku.sku_id, json.dumps(sku.options), product.title, product.slug, is_sellable=sku.is_sellable)


@lru_cache(maxsize=10_000)
def _make_card(sku_id: str, options_json: str, title: str, slug: str, *, is_sellable: bool) -> SkuCard:
    # The card follows from these five alone, so one that was made before is as good.
    options = tuple((name, value) for name, value in json.loads(options_json))
    return SkuCard(
        sku_id=sku_id,
        title=sku_title(title, options),
        product_title=title,
        product_slug=slug,
        options=options,
        image_url=picture_url(slug, options),
        url=f"/p/{slug}/?sku={quote(sku_id, safe='')}",
        is_sellable=is_sellable,
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
