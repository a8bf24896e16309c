"""Reads of the catalogue."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from shop.catalog.errors import CursorInvalidError, ProductUnknownError, SkuUnknownError
from shop.catalog.pictures import picture_url
from shop.catalog.rules import canonical_sku_id, search_words, sku_title
from shop.catalog.types import Page, ProductCard, SkuCard, SkuSlice
from shop.core.db import array_text, prepared
from shop.core.errors import ErrorDetail

PAGE_SIZE = 24
SLICE_LIMIT = 100
_SPECIAL = re.compile(r"[\\%_]")
"""What means something in a pattern for LIKE."""


_CARD = "s.sku_id, s.options, s.is_sellable, t.title, t.slug"
"""What `_read_card` reads."""
SKU_ROWS = "catalog_sku s JOIN catalog_product t ON t.id = s.product_id"
"""SKUs (`s`: `sku_id`) with their products (`t`: `slug`, `category`), for other apps' statements about them."""
CARD_JSON = "json_build_array(s.sku_id, s.options::text, s.is_sellable, t.title, t.slug)"
"""A card as one value of such a statement: `read_card`."""
# Joined, not compared with `ANY`: with a plan that is kept, PostgreSQL looks through such a list once for each row.
ASKED_SKU_ROWS = f"unnest(%(sku_ids)s::text[]) AS w(sku_id) JOIN ({SKU_ROWS}) ON s.sku_id = w.sku_id"
"""`SKU_ROWS` of the different ids in the parameter `sku_ids` (`array_text`)."""
_CARDS = f"SELECT {_CARD} FROM {ASKED_SKU_ROWS}"  # noqa: S608 - constants


def list_cards(*, sku_ids: Collection[str]) -> dict[str, SkuCard]:
    """Look up SKUs in one query, whatever their number; unknown ids are absent, SKUs no longer sold are there."""
    wanted = _possible(sku_ids)
    if not wanted:
        return {}
    return {row[0]: _read_card(*row) for row in prepared(_CARDS, {"sku_ids": array_text(wanted)})}


def list_cards_with(
    *, sku_ids: Collection[str], columns: str, params: Mapping[str, Any], join: str = ""
) -> dict[str, tuple[Any, ...]]:
    """Look up SKUs as `list_cards` does, each with further values after its card, still in one query.

    `columns` are constant expressions of other apps about the SKU of a row called `s`, such as
    `pricing.selectors.CURRENT_PRICE`, `join` what they need beside it, `params` their parameters.
    """
    wanted = _possible(sku_ids)
    if not wanted:
        return {}
    found = prepared(_cards_with(columns, join), {**params, "sku_ids": array_text(wanted)})
    return {row[0]: (_read_card(*row[:5]), *row[5:]) for row in found}


@cache
def _cards_with(columns: str, join: str) -> str:
    return f"SELECT {_CARD}, {columns} FROM {ASKED_SKU_ROWS} {join}"  # noqa: S608 - constants


def read_card(found: Sequence[Any]) -> SkuCard:
    """Read the value of `CARD_JSON`."""
    return _read_card(*found)


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


_PRODUCT = "t.id, t.slug, t.title, t.category, t.description"
_SOLD = "EXISTS (SELECT 1 FROM catalog_sku k WHERE k.product_id = t.id AND k.is_sellable)"
# No word of the search (as a pattern) is found nowhere.
_WORDS = """
NOT EXISTS (
  SELECT 1 FROM unnest(%(patterns)s::text[]) AS word
   WHERE NOT (upper(t.title) LIKE upper(word) OR upper(t.description) LIKE upper(word)
              OR upper(t.category) LIKE upper(word) OR {sku_id}))
"""
_ANY_SKU = "EXISTS (SELECT 1 FROM catalog_sku k WHERE k.product_id = t.id AND upper(k.sku_id) LIKE upper(word))"

_ONE = f"""
SELECT {_PRODUCT}, {_CARD}
  FROM catalog_product t LEFT JOIN catalog_sku s ON s.product_id = t.id
 WHERE t.slug = %(slug)s
 ORDER BY s.position, s.id
"""  # noqa: S608 - constants

_LIST = f"""
WITH found AS MATERIALIZED (
  SELECT t.id, t.position FROM catalog_product t
   WHERE {_SOLD} AND (%(category)s::text = '' OR t.category = %(category)s::text)
     AND {_WORDS.format(sku_id=_ANY_SKU)}
), counted AS (
  SELECT count(*) AS products, greatest(1, ceil(count(*)::numeric / %(size)s))::int AS pages FROM found
), shown AS (
  SELECT f.id, f.position FROM found f ORDER BY f.position, f.id
   LIMIT %(size)s OFFSET (SELECT (least(greatest(%(page)s::int, 1), c.pages) - 1) * %(size)s FROM counted c)
)
SELECT c.products, {_PRODUCT}, {_CARD}
  FROM counted c
  LEFT JOIN shown f ON true LEFT JOIN catalog_product t ON t.id = f.id LEFT JOIN catalog_sku s ON s.product_id = t.id
 ORDER BY f.position, f.id, s.position, s.id
"""  # noqa: S608 - constants

_CATEGORIES = f"SELECT DISTINCT t.category FROM catalog_product t WHERE {_SOLD} ORDER BY t.category"  # noqa: S608 - constants

_SKUS = f"""
SELECT {_CARD} FROM {SKU_ROWS}
 WHERE s.is_sellable AND s.sku_id > %(after)s
   AND {_WORDS.format(sku_id="upper(s.sku_id) LIKE upper(word)")}
 ORDER BY s.sku_id LIMIT %(limit)s
"""  # noqa: S608 - constants


def get_product(*, slug: str) -> ProductCard:
    """Look up a product with all its SKUs, those no longer sold too (one query).

    :raises ProductUnknownError: if there is none.
    """
    products = _read_products(prepared(_ONE, {"slug": slug})) if slug.isascii() and slug.isprintable() else ()
    if not products:
        raise ProductUnknownError(slug)
    return products[0]


def list_products(*, query: str, page: int, category: str = "") -> Page:
    """List products with at least one SKU that is sold, 24 a page (one query).

    Each word of `query` must be found in the title, the description, the category or one of the SKU ids, in any case.
    A page below 1 is the first, one past the end the last.
    """
    asked = {
        "patterns": _patterns(query),
        "category": " ".join(search_words(category)),
        "page": page,
        "size": PAGE_SIZE,
    }
    rows = prepared(_LIST, asked)
    found = rows[0][0]
    pages = max(1, -(-found // PAGE_SIZE))
    products = _read_products(row[1:] for row in rows if row[1] is not None)
    return Page(products=products, number=min(max(page, 1), pages), pages=pages, found=found)


def list_categories() -> tuple[str, ...]:
    """List the categories in which something is sold, by name (one query)."""
    return tuple(name for (name,) in prepared(_CATEGORIES))


def list_skus(*, query: str, limit: int, cursor: str) -> SkuSlice:
    """List SKUs that are sold by id, at most `limit` (1 to 100) after `cursor` (empty: from the start; one query).

    Words are found as in `list_products`.

    :raises CursorInvalidError: if `cursor` was not given out by this function.
    """
    size = min(max(limit, 1), SLICE_LIMIT)
    after = _read_cursor(cursor) if cursor else ""
    found = prepared(_SKUS, {"patterns": _patterns(query), "after": after, "limit": size + 1})
    shown = tuple(_read_card(*row) for row in found[:size])
    return SkuSlice(skus=shown, next_cursor=_write_cursor(shown[-1].sku_id) if len(found) > size else "")


def _escaped(word: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", word)


def _patterns(query: str) -> list[str]:
    """Write each word of a search as a pattern for LIKE."""
    return [f"%{_escaped(word)}%" for word in search_words(query)]


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


def _read_card(sku_id: str, options: str, is_sellable: bool, title: str, slug: str) -> SkuCard:  # noqa: FBT001 - a row
    return _make_card(sku_id, options, title, slug, is_sellable=is_sellable)


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


def _read_products(rows: Iterable[tuple[Any, ...]]) -> tuple[ProductCard, ...]:
    """Gather rows of `_PRODUCT` and `_CARD`, one a SKU and together by product, into products."""
    return tuple(_product_card(product, list(group)) for product, group in groupby(rows, key=itemgetter(0, 1, 2, 3, 4)))


def _product_card(product: tuple[Any, ...], rows: Sequence[tuple[Any, ...]]) -> ProductCard:
    _id, slug, title, category, description = product
    skus = tuple(_read_card(*row[5:]) for row in rows if row[5] is not None)
    face = next((sku for sku in skus if sku.is_sellable), None)
    return ProductCard(
        slug=slug,
        title=title,
        category=category,
        description=description,
        image_url=picture_url(slug, face.options if face else ()),
        url=f"/p/{slug}/",
        skus=skus,
    )
