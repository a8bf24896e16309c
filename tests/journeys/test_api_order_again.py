"""What was ordered before goes into the cart once more: what is there, at today's prices, and a receipt of the rest."""

from __future__ import annotations

from typing import Any

from inventory.models import StockItem
from shop.catalog.models import Sku
from shop.checkout import access
from shop.core import clock
from tests.api.helpers import Api, assert_problem, sell
from tests.journeys.test_api_guest_buys import fill_in, pay, start


def bought(api: Api, **quantities: int) -> str:
    """Buy so many of each SKU; give the order's number."""
    for sku_id, quantity in quantities.items():
        api("PUT", f"cart/items/{sku_id}", {"quantity": quantity})
    number: str = pay(api, fill_in(api, start(api).json())).json()["order_number"]
    return number


def cart_of(api: Api) -> dict[str, int]:
    return {line["sku_id"]: line["quantity"] for line in api("GET", "cart").json()["items"]}


def receipt_of(response: Any) -> list[tuple[str, str, int, int]]:
    assert response.status_code == 200, response.content
    return [(line["sku_id"], line["outcome"], line["ordered"], line["added"]) for line in response.json()["receipt"]]


def test_each_line_of_an_order_says_what_became_of_it(db: None) -> None:
    api = Api()
    for name in ("FULL", "FEW", "NONE", "GONE"):
        sell(name, on_hand=6, title=name)
    number = bought(api, FULL=2, FEW=3, NONE=1, GONE=1)
    StockItem.objects.filter(pk="FEW").update(on_hand=2)
    StockItem.objects.filter(pk="NONE").update(on_hand=0)
    Sku.objects.filter(sku_id="GONE").update(is_sellable=False)

    again = api("POST", f"orders/{number}/reorders", key=True)

    assert receipt_of(again) == [
        ("FULL", "added", 2, 2),
        ("FEW", "capped", 3, 2),
        ("NONE", "sold_out", 1, 0),
        ("GONE", "discontinued", 1, 0),
    ]
    assert cart_of(api) == {"FULL": 2, "FEW": 2}
    assert again.json()["cart"]["units"] == 4
    assert again.json()["cart"]["version"] == api("GET", "cart").json()["version"]


def test_a_repeated_reorder_adds_nothing_and_has_the_same_receipt(db: None) -> None:
    api = Api()
    sell("MUG", on_hand=10)
    number = bought(api, MUG=2)

    first = api("POST", f"orders/{number}/reorders", key="again-1")
    StockItem.objects.filter(pk="MUG").update(on_hand=0)
    second = api("POST", f"orders/{number}/reorders", key="again-1")

    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert cart_of(api) == {"MUG": 2}


def test_an_order_of_which_nothing_is_left_changes_nothing(db: None) -> None:
    api = Api()
    sell("MUG", on_hand=1)
    number = bought(api, MUG=1)
    assert_problem(api("POST", f"orders/{number}/reorders", key=True), 409, "nothing_to_reorder")
    assert cart_of(api) == {}


def test_whoever_has_the_mails_secret_gets_the_lines_into_a_cart_of_their_own(db: None) -> None:
    api = Api()
    sell("MUG", on_hand=10)
    number = bought(api, MUG=2)
    elsewhere = Api()
    assert_problem(elsewhere("POST", f"orders/{number}/reorders", key=True), 404, "order_unknown")

    token = access.issue_token(number=number, now=clock.now())
    again = elsewhere("POST", f"orders/{number}/reorders", key=True, Order_Token=token)

    assert receipt_of(again) == [("MUG", "added", 2, 2)]
    assert cart_of(elsewhere) == {"MUG": 2}
    assert cart_of(api) == {}


def test_a_reorder_needs_a_key_and_takes_no_fields(db: None) -> None:
    api = Api()
    sell("MUG", on_hand=10)
    number = bought(api, MUG=1)
    assert_problem(api("POST", f"orders/{number}/reorders"), 400, "idempotency_key_missing")
    assert_problem(api("POST", f"orders/{number}/reorders", {"quantity": 2}, key=True), 400, "unknown_parameter")


def test_orders_are_listed_a_slice_at_a_time_newest_first(db: None) -> None:
    api = Api()
    sell("MUG", on_hand=10)
    numbers = [bought(api, MUG=1) for _ in range(3)]

    first = api("GET", "orders?limit=2").json()
    second = api("GET", f"orders?limit=2&cursor={first['next_cursor']}").json()

    assert [order["number"] for order in first["items"] + second["items"]] == numbers[::-1]
    assert second["next_cursor"] is None
    assert_problem(api("GET", "orders?cursor=junk"), 422, "validation_failed")
