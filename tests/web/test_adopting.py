"""A cart that a browser kept is taken over: validated, once, and by requests from this host only."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from cart import selectors as carts
from cart.types import CartRef
from shop.core.ids import hash_token
from tests.web.helpers import sell, set_stock
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _client_carts(settings: Settings) -> None:
    settings.CART = replace(settings.CART, guest_storage="client")
    sell("MUG", "Enamel mug", price=1_400)
    sell("TOWEL", "Linen towel", price=2_200)


def adopt(shopper: Shopper, items: Any, *, saved: Any = (), merge_id: str = "m-1", **headers: str) -> Any:
    data = {
        "items": items if isinstance(items, str) else json.dumps(items),
        "saved": json.dumps(list(saved)),
        "merge_id": merge_id,
    }
    return shopper.client.post("/cart/adopt/", data, headers=headers)


def line(sku_id: object, quantity: object, price: int = 1) -> dict[str, object]:
    return {"sku_id": sku_id, "quantity": quantity, "price_at_add": price, "added_at": "2026-01-01T00:00:00Z"}


def cart_of(shopper: Shopper) -> dict[str, int]:
    ref = CartRef("g", hash_token(shopper.client.cookies["cart_session"].value))
    return {one.sku_id: one.quantity for one in carts.get_cart(ref=ref).lines}


def test_a_guest_without_a_server_side_cart_gets_the_frame_and_no_cookie() -> None:
    shopper = Shopper().open("/cart/")
    assert b'id="client"' in shopper.response.content  # type: ignore[union-attr]  # a page
    assert {"cart_session", "cart_n", "cart_v"} & set(shopper.client.cookies) == set()


def test_the_lists_become_a_guests_cart_at_the_shops_prices() -> None:
    shopper = Shopper()
    answer = adopt(shopper, [line("MUG", 2)], saved=[line("TOWEL", 1)])
    assert (answer.status_code, answer.json()) == (200, {"changed": False})
    assert cart_of(shopper) == {"MUG": 2}
    assert shopper.client.cookies["cart_n"].value == "2"
    shopper.open("/cart/")
    assert shopper.sees("£28.00")
    assert shopper.sees("Saved for later (1)")
    assert not shopper.sees("Price up")


def test_the_same_merge_counts_once_and_a_further_one_keeps_the_larger() -> None:
    shopper = Shopper()
    for _ in range(2):
        assert adopt(shopper, [line("MUG", 2)]).json() == {"changed": False}
    adopt(shopper, [line("MUG", 3)], merge_id="m-2")
    assert cart_of(shopper) == {"MUG": 3}


def test_what_could_not_be_taken_over_is_said_before_checkout() -> None:
    set_stock("TOWEL", 1)
    shopper = Shopper()
    assert adopt(shopper, [line("MUG", 1), line("TOWEL", 3), line("NEVER", 1)]).json() == {"changed": True}
    shopper.open("/cart/")
    assert shopper.sees("Linen towel: 1 of 3 kept, only 1 left")
    assert shopper.sees("1 unknown item: left out")


@pytest.mark.parametrize(
    "items",
    [
        "",
        "{",
        "{}",
        "[" * 50_000,
        [7],
        [line("MUG", "2")],
        [line("MUG", True)],
        [line(None, 1)],
        [line("MUG", 1.5)],
        [line("MUG", -1)],
        [line("MUG", 10**30)],
        [line("MUG", 100)],
        [line("\x00", 1)],
        [line(f"S{n}", 1) for n in range(101)],
    ],
)
def test_what_is_no_cart_is_refused_and_makes_none(items: Any) -> None:
    shopper = Shopper()
    answer = adopt(shopper, items)
    assert answer.status_code == 422
    assert answer.json()["message"]
    assert not shopper.client.cookies


@pytest.mark.parametrize("merge_id", ["", "x" * 65])
def test_without_an_id_of_its_own_nothing_is_taken_over(merge_id: str) -> None:
    shopper = Shopper()
    assert adopt(shopper, [line("MUG", 1)], merge_id=merge_id).status_code == 422
    assert not shopper.client.cookies


def test_another_site_hands_nothing_over() -> None:
    shopper = Shopper()
    answer = adopt(shopper, [line("MUG", 1)], **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert not shopper.client.cookies


def test_with_carts_on_the_server_no_page_loads_the_script(settings: Settings) -> None:
    assert b"shop/local" in Shopper().open("/").response.content  # type: ignore[union-attr]  # a page
    settings.CART = replace(settings.CART, guest_storage="server")
    assert b"shop/local" not in Shopper().open("/").response.content  # type: ignore[union-attr]  # a page
