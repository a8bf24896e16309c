"""Product list and product pages: the same bytes for everybody, so that an edge may keep them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.web.helpers import sell, set_stock, stop_selling
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _assortment() -> None:
    sell("MUG-350", "Enamel mug", price=1_400, options=(("Size", "350 ml"),))
    sell("MUG-500", "Enamel mug", price=1_700, on_hand=2, options=(("Size", "500 ml"),))
    sell("TOWEL", "Linen towel", price=2_200, on_hand=0)


@pytest.mark.parametrize("path", ["/", "/?q=enamel", "/p/enamel-mug/", "/p/enamel-mug/?sku=MUG-500"])
def test_a_public_page_is_for_everybody(client: Client, path: str) -> None:
    client.cookies["cart_n"] = "3"
    client.cookies["sessionid"] = "somebody"
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, max-age=0, s-maxage=60, stale-while-revalidate=300"
    assert "Cookie" not in answer.get("Vary", "")
    assert not answer.cookies
    assert b"csrfmiddlewaretoken" not in answer.content
    assert b'data-one="item"' in answer.content
    assert b'class="badge"' not in answer.content


def test_a_page_allows_no_script_or_style_but_its_own(client: Client) -> None:
    answer = client.get("/p/enamel-mug/")
    policy = answer["Content-Security-Policy"]

    for rule in (
        "default-src 'self'",
        "script-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert b"style=" not in answer.content
    assert b" onclick" not in answer.content


def test_the_product_page_says_what_there_is() -> None:
    shopper = Shopper().open("/p/enamel-mug/")
    assert shopper.sees("In stock")
    assert shopper.sees("Only 2 left")
    assert shopper.sees("£14.00")
    assert shopper.sees("£17.00")


def test_a_sold_out_product_can_be_saved_but_not_added() -> None:
    shopper = Shopper().open("/p/linen-towel/")
    assert shopper.sees("Out of stock")
    assert not shopper.can_press("Add to cart")

    shopper.press("Save for later")

    assert shopper.url == "/cart/"
    assert shopper.sees("Saved for later (1)")
    assert shopper.sees("Your cart is empty.")


def test_a_product_of_which_nothing_is_sold_any_more_keeps_its_page() -> None:
    stop_selling("TOWEL")
    shopper = Shopper().open("/p/linen-towel/")
    assert shopper.status == 200
    assert not shopper.can_press("Save for later")
    assert not Shopper().open("/").sees("Linen towel")


def test_all_reserved_by_others_is_not_sold_out() -> None:
    set_stock("MUG-500", 1)
    other = Shopper().open("/p/enamel-mug/?sku=MUG-500").press("Add to cart")
    other.press("Check out")

    assert Shopper().open("/p/enamel-mug/").sees("All reserved by other shoppers. Some may come back in about")
    assert "reserved by other" not in other.open("/cart/").text


@pytest.mark.parametrize(
    "query",
    ["?page=-1", "?page=9999", "?page=x", "?sort=no", "?q=%00", "?q=%ff%fe", "?category=" + "x" * 3000, "?page=٣"],
)
def test_junk_in_the_query_is_the_page_with_its_defaults(client: Client, query: str) -> None:
    assert client.get("/" + query).status_code == 200


@pytest.mark.parametrize("path", ["/p/nothing/", "/p/enamel-mug/nothing", "/cart/lines/"])
def test_what_is_not_there_is_a_404_in_the_shops_look(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"shop.css" in answer.content


@pytest.mark.parametrize("count", [1, 24])
def test_the_list_costs_the_same_for_one_product_as_for_a_page(
    client: Client, count: int, django_assert_num_queries: object
) -> None:
    for number in range(count):
        sell(f"SKU-{number}", f"Thing {number}")
    with CaptureQueriesContext(connection) as queries:
        client.get("/?q=thing")
    assert len(queries) == 4, [query["sql"][:90] for query in queries]


def test_the_picture_of_a_product_is_kept_for_ever(client: Client) -> None:
    answer = client.get("/pictures/enamel-mug.svg?v=1")
    assert answer["Content-Type"].startswith("image/svg+xml")
    assert "immutable" in answer["Cache-Control"]
    assert len(answer.content) <= 8_192
