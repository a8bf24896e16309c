"""A second currency from cart to order: quoted anew, asked about, charged and recorded as it was agreed to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from pytest_django import Settings

from cart import recorder
from cart import selectors as carts
from cart import services as cart_services
from cart.errors import CartLockedError, RegionUnknownError
from cart.models import CartRecord
from cart.types import CartRef
from pricing import regions
from pricing import services as pricing
from pricing.conf import PricingConf
from pricing.models import PriceDelta
from shop.checkout import models, selectors, services
from shop.checkout.charges import explain_charges
from shop.checkout.errors import CheckoutIncompleteError, LineUnavailableError, PriceChangedError
from shop.core import clock
from shop.core.errors import RejectedError
from shop.core.money import Money
from tests.checkout.helpers import ADDRESS, fill, make_sku, new_guest, pay, principal_of, put, start
from tests.pricing.helpers import REGIONS

pytestmark = pytest.mark.django_db

EUROS = {"MUG": Money(1_300, "EUR")}
IN_GERMANY = {**ADDRESS, "city": "Berlin", "postcode": "10115", "country": "DE", "email": "ada@example.com"}


@pytest.fixture(autouse=True)
def _shop(settings: Settings) -> None:
    settings.PRICING = PricingConf(regions=REGIONS)
    make_sku("MUG", price=1_000)
    make_sku("TEA", price=400)
    pricing.set_prices(prices=EUROS, valid_from=clock.now() - timedelta(days=1))


def move(ref: CartRef, code: str = "eu") -> None:
    cart_services.choose_region(ref=ref, code=code)


def address(checkout_id: str, ref: CartRef, details: dict[str, str | bool]) -> None:
    services.update_details(
        checkout_id=checkout_id,
        principal=principal_of(ref),
        details=details,
        expected_version=None,
        now=clock.now(),
    )


def test_a_cart_keeps_the_region_of_its_first_change_until_another_is_chosen() -> None:
    ref = new_guest()
    with regions.active(regions.find("eu")):
        put(ref, "MUG")
    put(ref, "MUG", 2)  # asked from a browser in the default region
    before = carts.get_cart(ref=ref)
    assert (before.region, before.currency, before.lines[0].price_at_add) == ("eu", "EUR", Money(1_300, "EUR"))

    move(ref, "uk")

    after = carts.get_cart(ref=ref)
    assert (after.currency, after.lines[0].price_at_add) == ("GBP", Money(1_300, "EUR"))
    assert after.content_version > before.content_version
    move(ref, "uk")
    assert carts.get_cart(ref=ref).version == after.version


def test_the_cart_is_priced_anew_says_so_and_names_what_is_not_sold_there() -> None:
    ref = new_guest()
    put(ref, "MUG", 2)
    put(ref, "TEA")

    move(ref)

    view = carts.view_cart(ref=ref, locale="en_GB", now=clock.now())
    assert view.total == Money(2_600, "EUR")
    assert {notice.kind for notice in view.notices} == {"currency", "not_in_region"}
    assert [line.is_elsewhere for line in view.lines] == [False, True]
    cart_services.acknowledge(ref=ref, notice_ids=[notice.notice_id for notice in view.notices])
    view = carts.view_cart(ref=ref, locale="en_GB", now=clock.now())
    assert [notice.kind for notice in view.notices] == ["not_in_region"]
    with pytest.raises(LineUnavailableError) as refused:
        start(ref)
    assert [(detail.pointer, detail.code) for detail in refused.value.errors] == [("/items/TEA", "not_in_region")]


def test_a_price_agreed_to_in_one_currency_is_none_in_the_other() -> None:
    ref = new_guest()
    put(ref, "MUG")
    pricing.set_prices(prices={"MUG": Money(1_300, "GBP")}, valid_from=clock.now() - timedelta(milliseconds=1))
    view = carts.view_cart(ref=ref, locale="en_GB", now=clock.now())
    cart_services.acknowledge(ref=ref, notice_ids=[notice.notice_id for notice in view.notices])

    move(ref)

    assert carts.get_cart(ref=ref).acknowledged == ()


def test_an_order_is_charged_recorded_and_explained_in_its_currency(cart_redis: redis.Redis) -> None:
    ref = new_guest()
    put(ref, "MUG", 2)
    move(ref)
    view = start(ref)
    address(view.checkout_id, ref, IN_GERMANY)

    paid = pay(view, ref)

    assert (view.total, paid.amount) == (Money(2_600, "EUR"), Money(2_600, "EUR"))
    order = selectors.get_order(number=paid.order_number, principal=principal_of(ref))
    assert order.total == Money(2_600, "EUR")
    delta = PriceDelta.objects.get()
    assert (delta.currency, delta.reasons, delta.added_minor) == ("EUR", ["currency"], None)
    assert (delta.acknowledged_minor, delta.charged_minor) == (2_600, 2_600)
    assert [finding.fault for finding in explain_charges(placed_from=clock.now() - timedelta(hours=1))] == [""]
    recorder.drain()
    assert set(CartRecord.objects.values_list("currency", "value_minor")) == {("EUR", 0)}


def test_another_region_in_mid_checkout_is_asked_about_and_never_charged_in_silence() -> None:
    ref = new_guest()
    put(ref, "MUG")
    view = fill(start(ref), ref)
    services.give_back_removed(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    move(ref)
    services.give_back_removed(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())

    with pytest.raises(PriceChangedError) as refused:
        pay(view, ref)
    assert refused.value.quote.total == Money(1_300, "EUR")
    assert [(c.was, c.now) for c in refused.value.changes] == [(Money(1_000, "GBP"), Money(1_300, "EUR"))]
    with pytest.raises(PriceChangedError):
        start(ref)
    assert not models.Payment.objects.exists()

    again = start(ref, accepted_total=1_300)
    assert (again.checkout_id, again.total) == (view.checkout_id, Money(1_300, "EUR"))
    with pytest.raises(CheckoutIncompleteError) as incomplete:
        pay(again, ref)  # the address typed before is in Britain
    assert [detail.pointer for detail in incomplete.value.errors] == ["/shipping_address/country"]
    address(view.checkout_id, ref, IN_GERMANY)
    assert pay(again, ref).amount == Money(1_300, "EUR")


def test_a_total_of_a_page_in_another_currency_agrees_to_nothing() -> None:
    ref = new_guest()
    put(ref, "MUG")
    move(ref)
    asked: dict[str, Any] = {
        "ref": ref,
        "principal": principal_of(ref),
        "expected_cart_version": None,
        "now": clock.now(),
    }

    with pytest.raises(PriceChangedError):
        services.start_checkout(accepted_total=9_999, shown_currency="GBP", **asked)
    with pytest.raises(PriceChangedError):
        services.start_checkout(accepted_total=None, shown_total=9_999, shown_currency="GBP", **asked)
    view, _ = services.start_checkout(accepted_total=None, shown_total=1_300, shown_currency="EUR", **asked)
    address(view.checkout_id, ref, IN_GERMANY)
    with pytest.raises(PriceChangedError):
        services.pay(
            checkout_id=view.checkout_id,
            principal=principal_of(ref),
            method="fake",
            provider_token="ok",
            expected_total=1_300,
            expected_currency="GBP",
            key="once",
            now=clock.now(),
        )


def test_it_delivers_to_the_countries_of_the_region_alone() -> None:
    ref = new_guest()
    put(ref, "MUG")
    view = start(ref)

    with pytest.raises(RejectedError) as refused:
        address(view.checkout_id, ref, IN_GERMANY)

    assert [(d.pointer, d.code) for d in refused.value.errors] == [
        ("/shipping_address/country", "country_not_in_region")
    ]


def test_a_cart_that_is_being_paid_for_keeps_its_region() -> None:
    ref = new_guest()
    put(ref, "MUG")
    view = fill(start(ref), ref)
    pay(view, ref, "requires_action")

    with pytest.raises(CartLockedError):
        move(ref)

    assert carts.get_cart(ref=ref).currency == "GBP"


def test_a_region_that_there_is_not_is_refused_also_in_a_shop_with_one(settings: Settings) -> None:
    ref = new_guest()
    put(ref, "MUG")
    with pytest.raises(RegionUnknownError):
        move(ref, "xx")
    settings.PRICING = PricingConf()
    with pytest.raises(RegionUnknownError):
        move(ref, "")


def test_a_cart_that_redis_lost_comes_back_in_its_region(cart_redis: redis.Redis) -> None:
    ref = new_guest()
    put(ref, "MUG")
    move(ref)
    recorder.drain()
    assert CartRecord.objects.get().currency == "EUR"
    for name in cart_redis.keys(f"*{ref.key}*"):
        cart_redis.delete(name)

    assert carts.get_cart(ref=ref).currency == "EUR"
