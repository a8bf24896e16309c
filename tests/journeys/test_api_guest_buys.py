"""A guest buys through the API: the purchase of docs/api.md, request by request."""

from __future__ import annotations

from typing import Any

from inventory.models import StockItem
from tests.api.helpers import Api, assert_problem, sell

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}


def start(api: Api) -> Any:
    """Start a checkout of the present cart."""
    etag = api("GET", "cart").headers["ETag"]
    return api("POST", "checkouts", {}, key=True, If_Match=etag)


def fill_in(api: Api, checkout: dict[str, Any]) -> dict[str, Any]:
    """Give mail and delivery address."""
    response = api(
        "PATCH",
        f"checkouts/{checkout['id']}",
        {"email": "ada@example.com", "shipping_address": ADDRESS},
        If_Match=checkout["etag"],
    )
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def pay(api: Api, checkout: dict[str, Any], token: str = "ok", *, key: bool | str = True) -> Any:
    """Pay the total that the checkout shows."""
    data = {"method": "fake", "provider_token": token, "expected_total": checkout["totals"]["total"]["amount"]}
    return api("POST", f"checkouts/{checkout['id']}/payments", data, key=key)


def test_a_guest_buys_two_things(db: None) -> None:
    api = Api()
    sell("MUG-1", price=1400, on_hand=5)
    sell("TRIVET-1", price=600, on_hand=5, title="Cork trivet")

    shelf = api("GET", "skus?q=mug").json()["items"]
    assert [(sku["sku_id"], sku["price"]["amount"]) for sku in shelf] == [("MUG-1", 1400)]

    first = api("PUT", "cart/items/MUG-1", {"quantity": 2})
    assert first.status_code == 201
    assert first.headers["Cart-Session"]
    second = api("POST", "cart/items", {"sku_id": "TRIVET-1", "quantity": 1}, key=True)
    assert second.status_code == 200
    assert "Cart-Session" not in second.headers

    cart = api("GET", "cart?expand=page").json()
    assert [(line["sku_id"], line["quantity"]) for line in cart["items"]] == [("MUG-1", 2), ("TRIVET-1", 1)]
    assert cart["totals"]["total"] == {"amount": 3400, "currency": "GBP"}
    assert cart["can_check_out"] is True

    started = start(api)
    assert started.status_code == 201
    checkout = started.json()
    assert started.headers["Location"] == f"/api/v1/checkouts/{checkout['id']}"
    assert checkout["requirements"] == ["email", "shipping_address"]
    assert checkout["reservation"]["state"] == "soft"
    assert StockItem.objects.get(sku_id="MUG-1").reserved == 2

    checkout = fill_in(api, checkout)
    assert checkout["requirements"] == []

    paid = pay(api, checkout)
    assert paid.status_code == 201, paid.content
    payment = paid.json()
    assert payment["state"] == "succeeded"
    assert payment["amount"] == {"amount": 3400, "currency": "GBP"}

    order = api("GET", f"orders/{payment['order_number']}")
    assert order.status_code == 200
    assert order.json()["totals"]["total"]["amount"] == 3400
    assert order.json()["shipping_address"]["postcode"] == "SW1Y 4JH"
    assert [o["number"] for o in api("GET", "orders").json()["items"]] == [payment["order_number"]]

    assert api("GET", "cart").json()["items"] == []
    item = StockItem.objects.get(sku_id="MUG-1")
    assert (item.on_hand, item.reserved) == (3, 0)


def test_starting_again_answers_the_open_checkout(db: None) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 2})

    first, second = start(api), start(api)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert StockItem.objects.get(sku_id="MUG-1").reserved == 2


def test_a_cancelled_checkout_gives_the_units_back(db: None) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 2})
    checkout = start(api).json()

    assert api("DELETE", f"checkouts/{checkout['id']}").status_code == 204

    assert StockItem.objects.get(sku_id="MUG-1").reserved == 0
    assert_problem(api("GET", f"checkouts/{checkout['id']}"), 410, "checkout_cancelled")
    assert api("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 2}]


def test_the_last_unit_is_sold_once(db: None) -> None:
    sell("MUG-1", on_hand=1)
    first, second = Api(), Api()
    for api in (first, second):
        api("PUT", "cart/items/MUG-1", {"quantity": 1})

    assert start(first).status_code == 201
    body = assert_problem(start(second), 409, "insufficient_stock")

    (short,) = body["errors"]
    assert (short["pointer"], short["requested"], short["buyable"]) == ("/items/MUG-1", 1, 0)
    assert 0 < short["retry_after"] <= 600
