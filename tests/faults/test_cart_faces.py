"""Carts that lost something, and cookies that are none: the same on the page and through the API."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from cart import identity, recorder, services
from cart.offers import Offers
from cart.types import CartRef
from shop.catalog.models import Sku
from shop.checkout.models import Order
from shop.core import clock
from shop.core.ids import hash_token, new_token
from tests.api.helpers import Api, assert_problem
from tests.web.helpers import sell, shopper_with, stop_selling, to_review
from tests.web.shopper import Shopper

pytestmark = [pytest.mark.fault, pytest.mark.django_db]


def api_of(shopper: Shopper) -> Api:
    """Give an app of the same guest."""
    return Api(cart_session=shopper.client.cookies["cart_session"].value)


# ---------------------------------------------------------------- ordered, and then forgotten by Redis


def ordered_and_lost(cart_redis: redis.Redis) -> Shopper:
    """Let a guest whose cart was recorded buy it while no recorder runs; then let Redis lose everything."""
    sell("MUG", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG")
    recorder.drain()
    shopper.open("/p/enamel-mug/").press("Add to cart")
    to_review(shopper).press("Pay £28.00")
    assert Order.objects.count() == 1
    cart_redis.flushdb()
    return shopper


def test_what_was_ordered_is_on_no_face_when_redis_loses_the_cart_before_the_recorder_woke(
    cart_redis: redis.Redis,
) -> None:
    shopper = ordered_and_lost(cart_redis)
    api = api_of(shopper)
    assert shopper.open("/cart/").sees("Your cart is empty.")
    assert api("GET", "cart?expand=page").json()["items"] == []
    assert api("GET", "cart/count").json() == {"units": 0}
    assert_problem(api("POST", "checkouts", {}, key=True, If_Match="*"), 409, "cart_empty")


def test_an_order_that_left_nothing_in_the_record_would_bring_its_lines_back(
    cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(services, "convert_record", lambda **_: None)
    shopper = ordered_and_lost(cart_redis)
    assert not shopper.open("/cart/").sees("Your cart is empty.")
    assert api_of(shopper)("GET", "cart/count").json() == {"units": 1}


# ---------------------------------------------------------------- no longer sold


@pytest.mark.parametrize("how", ["withdrawn", "deleted"])
def test_a_sku_that_goes_while_in_a_cart_is_named_not_counted_and_stops_checkout(how: str) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    sell("LAMP", "Desk lamp", price=3_000)
    shopper = shopper_with("MUG", "LAMP")
    if how == "withdrawn":
        stop_selling("LAMP")
    else:
        Sku.objects.filter(sku_id="LAMP").delete()
    name = "Desk lamp" if how == "withdrawn" else "LAMP"

    shopper.open("/cart/")
    assert shopper.status == 200
    assert shopper.sees(f"{name} is no longer sold. It is not in your total.")
    assert shopper.sees("£14.00")
    assert not shopper.sees("£44.00")
    assert shopper.press("Check out").url == "/cart/"
    assert shopper.sees("Checkout has not started")

    api = api_of(shopper)
    body = api("GET", "cart?expand=page").json()
    assert [(line["sku_id"], line["availability"]["state"]) for line in body["items"]] == [
        ("MUG", "in_stock"),
        ("LAMP", "discontinued"),
    ]
    assert body["totals"]["total"]["amount"] == 1_400
    assert [(one["kind"], one["sku_id"]) for one in body["notices"]] == [("discontinued", "LAMP")]
    refused = assert_problem(api("POST", "checkouts", {}, key=True, If_Match="*"), 409, "line_unavailable")
    assert [error["pointer"] for error in refused["errors"]] == ["/items/LAMP"]


def test_a_sku_that_nobody_looks_up_again_would_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: whatever has a price is taken for sold."""
    monkeypatch.setattr(Offers, "is_sold", lambda offers, sku_id: sku_id in offers.prices)
    sell("MUG", "Enamel mug", price=1_400)
    sell("LAMP", "Desk lamp", price=3_000)
    shopper = shopper_with("MUG", "LAMP")
    stop_selling("LAMP")

    shopper.open("/cart/")
    assert not shopper.sees("Desk lamp is no longer sold.")
    assert shopper.sees("£44.00")


# ---------------------------------------------------------------- cookies that are none


@pytest.fixture
def theirs(settings: Settings) -> str:
    """Give the secret of a guest with a mug in the cart."""
    sell("MUG", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG")
    return str(shopper.client.cookies["cart_session"].value)


def _cookie(kind: str, theirs: str) -> str:
    if kind == "merged":
        services.merge_guest_cart(guest_ref=CartRef("g", hash_token(theirs)), user_id=7, now=clock.now())
    return {
        "garbage": "cart_session=../../etc",
        "4 KB": "cart_session=" + "A" * 4_096,
        "merged": f"cart_session={theirs}",
        "planted before": f"cart_session={new_token()}; cart_session={theirs}",
        "planted after": f"cart_session={theirs}; a=b; cart_session={new_token()}",
    }[kind]


@pytest.mark.parametrize("kind", ["garbage", "4 KB", "merged", "planted before", "planted after"])
def test_a_cookie_that_is_no_guests_is_as_no_cart_and_the_next_change_replaces_it(
    theirs: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = {"Cookie": _cookie(kind, theirs), "Sec-Fetch-Site": "same-origin"}
    caplog.set_level(logging.INFO, logger="cart.identity")
    client = Client(enforce_csrf_checks=True)
    quiet: list[Any] = [client.get("/cart/", headers=sent), client.get("/api/v1/cart", headers=sent)]

    assert [answer.status_code for answer in quiet] == [200, 200]
    assert "Your cart is empty." in quiet[0].content.decode()
    assert quiet[1].json()["items"] == []
    assert not any("cart_session" in answer.cookies for answer in quiet)
    seen = [record.getMessage() for record in caplog.records]
    assert seen == [] if kind == "merged" else seen == ["cart_session_unusable"] * 2
    caplog.clear()

    page = client.post("/cart/add/", {"sku_id": "MUG", "quantity": "2"}, headers=sent)
    put = client.put("/api/v1/cart/items/MUG", {"quantity": 3}, content_type="application/json", headers=sent)
    assert (page.status_code, put.status_code) == (303, 201)
    fresh = [answer.cookies["cart_session"].value for answer in (page, put)]
    assert len({*fresh, theirs}) == 3
    assert [line["quantity"] for line in put.json()["items"]] == [3]
    logged = [record.getMessage() for record in caplog.records]
    assert logged == ["cart_session_was_merged" if kind == "merged" else "cart_session_unusable"] * 2
    assert theirs not in caplog.text


def test_a_cookie_that_is_sent_twice_with_one_value_is_that_guests(theirs: str) -> None:
    answer: Any = Client().get("/api/v1/cart", headers={"Cookie": f"cart_session={theirs}; cart_session={theirs}"})
    assert [line["sku_id"] for line in answer.json()["items"]] == ["MUG"]


def test_a_planted_cookie_would_be_shopped_with_if_the_last_one_counted(
    theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: whoever planted it reads along."""
    monkeypatch.setattr(identity, "_is_ambiguous", lambda *_: False)
    sent = {"Cookie": _cookie("planted before", theirs)}
    answer: Any = Client().get("/api/v1/cart", headers=sent)
    assert [line["sku_id"] for line in answer.json()["items"]] == ["MUG"]
