"""Regions: how they are named, whose region a request has, and what a cache may keep."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from pricing import regions
from pricing.conf import PricingConf
from pricing.types import Region
from tests.pricing.helpers import REGIONS


@pytest.fixture
def two(settings: Settings) -> None:
    settings.PRICING = PricingConf(regions=REGIONS)


def test_a_shop_that_names_none_has_one_and_no_choice() -> None:
    assert [region.currency for region in regions.list_regions()] == ["GBP"]
    assert (regions.are_many(), regions.countries_of("GBP")) == (False, frozenset())


@pytest.mark.usefixtures("two")
def test_regions_are_read_in_order_with_their_countries() -> None:
    uk, eu = regions.list_regions()

    assert uk == Region("uk", "United Kingdom", "GBP", frozenset({"GB", "IM"}))
    assert regions.countries_of("EUR") == eu.countries == frozenset({"DE", "FR"})
    assert (regions.currency_of("eu"), regions.currency_of("gone"), regions.find("gone")) == ("EUR", "GBP", None)


@pytest.mark.parametrize(
    "text",
    [
        *("uk", "uk=:GBP", "UK=United Kingdom:GBP", "uk=A:gbp", "uk=A:GBP:gb", "uk=A:GBP; uk=B:EUR", "uk=A:GBP;;"),
        "eu=Europe:EUR",
    ],
)
def test_what_is_no_list_of_regions_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PRICING_REGIONS"):
        PricingConf(regions=text)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("path", "header", "cookie", "currency"),
    [
        ("/", "", "", "GBP"),
        ("/", "", "eu", "EUR"),
        ("/", "", "xx", "GBP"),
        ("/", "eu", "", "GBP"),
        ("/api/v1/cart", "eu", "", "EUR"),
        ("/api/v1/cart", "eu", "uk", "EUR"),
        ("/admin/", "", "eu", "GBP"),
    ],
)
def test_a_request_is_answered_in_its_visitors_region_and_only_it(
    path: str, header: str, cookie: str, currency: str
) -> None:
    request = RequestFactory().get(path, headers={"Region": header} if header else {})
    if cookie:
        request.COOKIES["region"] = cookie

    seen = regions.visitors_region(lambda _: HttpResponse(regions.current().currency))(request)

    assert isinstance(seen, HttpResponse)
    assert (seen.content.decode(), regions.current().currency) == (currency, "GBP")


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("edge", "cookie", "cache", "vary"),
    [
        ("", "", "private, no-cache", ""),
        ("", "eu", "private, no-cache", ""),
        ("-", "", "public, s-maxage=60", "X-Region"),
        ("eu", "eu", "public, s-maxage=60", "X-Region"),
        ("eu", "uk", "private, no-cache", ""),
        ("-", "eu", "private, no-cache", ""),
    ],
)
def test_a_public_page_is_kept_only_by_an_edge_that_tells_regions_apart(
    edge: str, cookie: str, cache: str, vary: str
) -> None:
    request = RequestFactory().get("/", headers={"X-Region": edge} if edge else {})
    if cookie:
        request.COOKIES["region"] = cookie
    response = HttpResponse(headers={"Cache-Control": "public, s-maxage=60"})

    regions.say_cached_by_region(request, response)

    assert (response["Cache-Control"], response.get("Vary", "")) == (cache, vary)
