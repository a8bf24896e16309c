"""Choosing a region on the pages: without JavaScript, remembered, and told where it matters."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from pricing import services as pricing
from pricing.conf import PricingConf
from shop.core import clock
from shop.core.money import Money
from tests.api.helpers import Api
from tests.pricing.helpers import REGIONS
from tests.web.helpers import sell
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop(settings: Settings) -> None:
    settings.PRICING = PricingConf(regions=REGIONS)
    sell("MUG", "Enamel mug", price=1_000)
    sell("TEA", "Tea", price=400)
    pricing.set_prices(prices={"MUG": Money(1_300, "EUR")}, valid_from=clock.now() - timedelta(days=1))


def test_a_visitor_chooses_at_the_foot_of_a_page_and_every_page_follows() -> None:
    shopper = Shopper().open("/p/enamel-mug/")
    assert shopper.sees("£10.00")

    shopper.press("Change", region="eu")

    assert shopper.client.cookies["region"].value == "eu"
    assert "cart_session" not in shopper.client.cookies
    assert shopper.open("/p/enamel-mug/").sees("€13.00")
    assert not shopper.open("/p/tea/").sees("£4.00")


def test_the_form_leads_back_to_its_page_and_from_elsewhere_to_the_cart() -> None:
    shopper = Shopper()

    def after(referer: str) -> str:
        answer = shopper.client.post("/cart/region/", {"region": "eu"}, headers={"Referer": referer})
        assert answer.status_code == 303
        return answer["Location"]

    assert after("http://testserver/p/enamel-mug/?sku=MUG") == "/p/enamel-mug/?sku=MUG"
    for elsewhere in ("", "https://evil.example/", "http://testserver//evil.example", "http://testserver/cart/add/"):
        assert after(elsewhere) == "/cart/"


@pytest.mark.parametrize(("region", "site", "status"), [("xx", "same-origin", 422), ("eu", "cross-site", 403)])
def test_neither_an_unknown_region_nor_another_site_changes_anything(region: str, site: str, status: int) -> None:
    shopper = Shopper()

    answer = shopper.client.post("/cart/region/", {"region": region}, headers={"Sec-Fetch-Site": site})

    assert (answer.status_code, "region" in answer.cookies) == (status, False)


def test_the_cart_page_says_what_is_different_and_a_checkout_asks() -> None:
    shopper = Shopper().open("/p/enamel-mug/").press("Add to cart")
    shopper.open("/p/tea/").press("Add to cart")

    shopper.open("/cart/").press("Change", region="eu")

    assert shopper.sees("Prices are now in EUR, for the region you chose.")
    assert shopper.sees("It was £10.00 in the region where you added it; here it is €13.00.")
    assert shopper.sees("Tea is not sold in your region. It is not in your total.")
    assert shopper.sees("€13.00")
    shopper.client.post(
        "/cart/lines/TEA/remove/", {"csrfmiddlewaretoken": shopper.fields_of("Got it")["csrfmiddlewaretoken"][0]}
    )
    shopper.open("/cart/").press("Check out")
    assert shopper.title.startswith("Delivery")

    shopper.open("/cart/").press("Change", region="uk")
    shopper.open("/cart/").press("Check out")
    assert shopper.sees("You chose another region: prices are in GBP now.")
    assert shopper.sees("€13.00")
    assert shopper.press("Continue at £10.00").title.startswith("Delivery")


def test_a_customer_finds_their_region_on_another_device() -> None:
    get_user_model().objects.create_user("ada@example.com", "correct horse battery")

    def sign_in() -> Shopper:
        shopper = Shopper().open("/accounts/login/")
        return shopper.press("Sign in", login="ada@example.com", password="correct horse battery")

    sign_in().press("Change", region="eu")

    other = sign_in()
    assert other.client.cookies["region"].value == "eu"
    assert other.open("/p/enamel-mug/").sees("€13.00")


def test_a_program_chooses_and_reads_prices_by_region() -> None:
    api = Api()
    assert [one["region"] for one in api("GET", "regions").json()["items"]] == ["uk", "eu"]
    api("PUT", "cart/items/MUG", {"quantity": 1})

    moved = api("PUT", "cart/region", {"region": "eu"})

    assert (moved.status_code, moved.json()["currency"]) == (200, "EUR")
    price = api("GET", "cart?expand=items.price").json()["items"][0]["price"]
    assert price["added"] == {"amount": 1_000, "currency": "GBP"}
    assert (price["current"], price["delta"]) == ({"amount": 1_300, "currency": "EUR"}, None)
    assert api("GET", "skus/MUG?region=eu").json()["price"] == {"amount": 1_300, "currency": "EUR"}
    assert api("GET", "skus/TEA?region=eu").json()["price"] is None
    assert api("GET", "skus/MUG?region=xx").json()["code"] == "validation_failed"
    assert api("PUT", "cart/region", {"region": "xx"}).json()["code"] == "region_unknown"
