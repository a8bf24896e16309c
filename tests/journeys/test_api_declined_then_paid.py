"""A card is declined, another one works: nothing typed or reserved in the cart is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from inventory.models import StockItem
from tests.api.helpers import Api, assert_problem, sell
from tests.journeys.test_api_guest_buys import fill_in, pay, start
from tests.web.shopper import Shopper


def test_a_declined_payment_can_be_followed_by_one_that_works(db: None) -> None:
    api = Api()
    sell("MUG-1", price=1400, on_hand=3)
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(api, start(api).json())

    refused = assert_problem(pay(api, checkout, "declined"), 402, "payment_declined")

    assert refused["current"]["payment_id"].startswith("pay_")
    again = api("GET", f"checkouts/{checkout['id']}").json()
    assert again["state"] == "open"
    assert again["email"] == "ada@example.com"
    assert again["shipping_address"]["line1"] == "12 St James's Square"
    assert again["last_payment"]["state"] == "failed"
    assert api("GET", "cart").json()["items"] == [{"sku_id": "MUG-1", "quantity": 1}]

    paid = pay(api, again, "ok")

    assert paid.status_code == 201, paid.content
    item = StockItem.objects.get(sku_id="MUG-1")
    assert (item.on_hand, item.reserved) == (2, 0)
    assert len(api("GET", "orders").json()["items"]) == 1


def test_a_payment_that_the_payer_must_confirm_says_so(db: None) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(api, start(api).json())

    waiting = pay(api, checkout, "requires_action")

    assert (waiting.status_code, waiting.json()["state"]) == (202, "requires_action")
    payment = api("GET", f"checkouts/{checkout['id']}/payments/{waiting.json()['id']}")
    assert (payment.status_code, payment.json()["state"]) == (200, "requires_action")
    assert payment.json()["next_action"] == waiting.json()["next_action"]
    assert_problem(pay(api, checkout), 409, "payment_in_progress")
    assert_problem(api("PUT", "cart/items/MUG-1", {"quantity": 2}), 409, "cart_locked")


@pytest.mark.parametrize(
    ("button", "state", "said"), [("Confirm", "succeeded", "Thank you"), ("Refuse", "failed", "Payment not made")]
)
def test_the_bank_is_answered_in_a_browser_that_knows_nothing_of_the_apps_cart(
    db: None, button: str, state: str, said: str
) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(api, start(api).json())
    waiting = pay(api, checkout, "requires_action").json()
    browser = Shopper()

    browser.open(urlsplit(waiting["next_action"]["url"]).path).press(button)

    assert browser.sees(said)
    assert browser.status == 200
    payment = api("GET", f"checkouts/{checkout['id']}/payments/{waiting['id']}").json()
    assert payment["state"] == state
    assert "next_action" not in payment
    assert not browser.sees("ord_")


@pytest.mark.parametrize(
    "spoil", [lambda path: path[:-2] + ("y/" if path[-2] == "x" else "x/"), lambda path: path.split(":")[0] + "/"]
)
def test_a_payers_link_that_is_not_ours_opens_nothing(db: None, spoil: Callable[[str], str]) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    waiting = pay(api, fill_in(api, start(api).json()), "requires_action").json()

    path = spoil(urlsplit(waiting["next_action"]["url"]).path)

    assert Shopper().open(path).status == 404


def test_a_payment_whose_answer_was_lost_is_found_by_asking_again(db: None) -> None:
    api = Api()
    sell("MUG-1")
    api("PUT", "cart/items/MUG-1", {"quantity": 1})
    checkout = fill_in(api, start(api).json())

    lost = pay(api, checkout, "timeout_after_success")

    assert lost.status_code == 202, lost.content
    checked = api("POST", lost.headers["Location"] + "/checks")
    assert (checked.status_code, checked.json()["state"]) == (201, "succeeded")
    assert checked.json()["order_number"]
