"""Reads of the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from shop.catalog import selectors, services
from shop.catalog.errors import CursorInvalidError, ProductUnknownError, SkuUnknownError
from shop.catalog.models import Product
from shop.catalog.services import NewProduct, NewSku
from shop.catalog.types import SkuCard
from tests.catalog.helpers import product

pytestmark = pytest.mark.django_db

MUG = NewProduct(
    slug="enamel-mug",
    title="Enamel mug",
    category="Table",
    description="A wide handle.",
    skus=(
        NewSku("MUG-350-SLATE", (("Size", "350 ml"), ("Colour", "Slate"))),
        NewSku("MUG-350-CREAM", (("Size", "350 ml"), ("Colour", "Cream")), is_sellable=False),
    ),
)
CARD = SkuCard(
    sku_id="MUG-350-SLATE",
    title="Enamel mug, 350 ml, Slate",
    product_title="Enamel mug",
    product_slug="enamel-mug",
    options=(("Size", "350 ml"), ("Colour", "Slate")),
    image_url="/pictures/enamel-mug--slate.svg?v=1",
    url="/p/enamel-mug/?sku=MUG-350-SLATE",
    is_sellable=True,
)


def slugs(**asked: Any) -> list[str]:
    page = selectors.list_products(**{"query": "", "page": 1, **asked})
    assert page.found == len(page.products) or page.pages > 1
    return [card.slug for card in page.products]


def test_a_card_has_all_that_shows_a_sku() -> None:
    services.add_products(products=[MUG])

    assert selectors.get_card(sku_id="MUG-350-SLATE") == CARD


def test_skus_no_longer_sold_are_there_and_unknown_ones_are_not() -> None:
    services.add_products(products=[MUG])

    cards = selectors.list_cards(sku_ids=["MUG-350-CREAM", "mug-350-slate", "NO", "A\x00B", "\ud800", "@x"])

    assert {sku_id: card.is_sellable for sku_id, card in cards.items()} == {"MUG-350-CREAM": False}


@pytest.mark.parametrize("sku_id", ["NO", "mug-350-slate", "A\x00", "\ud800", "x" * 5_000])
def test_an_unknown_sku_is_refused(sku_id: str) -> None:
    services.add_products(products=[MUG])

    with pytest.raises(SkuUnknownError):
        selectors.get_card(sku_id=sku_id)


@pytest.mark.parametrize("lines", [1, 100])
def test_cards_are_one_query(django_assert_num_queries: Any, lines: int) -> None:
    sku_ids = [f"SKU-{number}" for number in range(lines)]
    for sku_id in sku_ids:
        product(sku_id.lower(), sku_id)

    with django_assert_num_queries(1):
        assert set(selectors.list_cards(sku_ids=sku_ids)) == set(sku_ids)


def test_a_product_has_its_skus_in_order() -> None:
    services.add_products(products=[MUG])

    card = selectors.get_product(slug="enamel-mug")

    assert [sku.sku_id for sku in card.skus] == ["MUG-350-SLATE", "MUG-350-CREAM"]
    assert card.skus[0] == CARD
    assert (card.url, card.image_url) == ("/p/enamel-mug/", "/pictures/enamel-mug--slate.svg?v=1")


@pytest.mark.parametrize("slug", ["nothing", "Enamel-mug", "a\x00b", "\ud800", "é"])
def test_an_unknown_product_is_refused(slug: str) -> None:
    services.add_products(products=[MUG])

    with pytest.raises(ProductUnknownError):
        selectors.get_product(slug=slug)


def test_all_words_of_a_search_must_be_found_in_title_text_category_or_sku() -> None:
    services.add_products(products=[MUG])
    product("cork-trivet", "TRIVET-1", category="Kitchen", description="Takes a hot pan.")

    assert slugs(query="MUG") == ["enamel-mug"]
    assert slugs(query="handle enamel") == ["enamel-mug"]
    assert slugs(query="handle pan") == []
    assert slugs(query="trivet-1") == ["cork-trivet"]
    assert slugs(query="table") == ["enamel-mug"]
    assert slugs(query="  ") == ["enamel-mug", "cork-trivet"]


@pytest.mark.parametrize("query", ["%", "_", "\\", "'", "\x00", "\ud800", "a" * 5_000, "x " * 500])
def test_odd_searches_find_nothing_and_break_nothing(query: str) -> None:
    services.add_products(products=[MUG])

    found = selectors.list_products(query=query, page=1).found

    assert found == (1 if not query.strip("\x00\ud800") else 0)
    selectors.list_skus(query=query, limit=10, cursor="")


def test_a_category_narrows_the_list() -> None:
    services.add_products(products=[MUG])
    product("cork-trivet", category="Kitchen")

    assert slugs(category="Kitchen") == ["cork-trivet"]
    assert slugs(category="Kitchen", query="mug") == []
    assert slugs(category="Nowhere\x00") == []
    assert selectors.list_categories() == ("Kitchen", "Table")


def test_a_product_of_which_nothing_is_sold_is_not_listed_but_has_its_page() -> None:
    product("old-mug", "OLD-1", category="Past")
    services.stop_selling(sku_ids=["OLD-1"])

    assert slugs() == []
    assert selectors.list_categories() == ()
    assert selectors.list_skus(query="", limit=10, cursor="").skus == ()
    assert selectors.get_product(slug="old-mug").skus[0].is_sellable is False


def test_pages_are_stable_and_a_page_past_the_end_is_the_last() -> None:
    for number in range(50):
        product(f"thing-{number}", position=str(number // 10))

    pages = [selectors.list_products(query="", page=number) for number in (1, 2, 3)]

    assert [len(page.products) for page in pages] == [24, 24, 2]
    assert [card.slug for page in pages for card in page.products] == [f"thing-{number}" for number in range(50)]
    assert selectors.list_products(query="", page=10**9) == pages[2]
    assert selectors.list_products(query="", page=-5) == pages[0]
    assert (pages[0].found, pages[0].pages) == (50, 3)


@pytest.mark.parametrize("products", [1, 30])
def test_a_page_is_one_query(django_assert_num_queries: Any, products: int) -> None:
    for number in range(products):
        product(f"thing-{number}", f"THING-{number}-A", f"THING-{number}-B")

    with django_assert_num_queries(1):
        selectors.list_products(query="thing", page=1, category="Table")


def test_slices_of_skus_follow_each_other_to_the_end(django_assert_num_queries: Any) -> None:
    product("thing", *(f"SKU-{number:02d}" for number in range(7)))

    found: list[str] = []
    cursor = ""
    while True:
        with django_assert_num_queries(1):
            part = selectors.list_skus(query="thing", limit=3, cursor=cursor)
        found += [card.sku_id for card in part.skus]
        cursor = part.next_cursor
        if not cursor:
            break

    assert found == [f"SKU-{number:02d}" for number in range(7)]


@pytest.mark.parametrize("cursor", ["!", "é", "AAA", "QA", "\x00", "a" * 9_999])
def test_a_cursor_that_we_did_not_give_out_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalidError) as refused:
        selectors.list_skus(query="", limit=3, cursor=cursor)

    assert [(detail.pointer, detail.code) for detail in refused.value.errors] == [("/cursor", "cursor_invalid")]


def test_products_carry_no_query_to_a_template() -> None:
    services.add_products(products=[MUG])

    assert Product.objects.count() == 1
    assert isinstance(selectors.list_products(query="", page=1).products, tuple)
