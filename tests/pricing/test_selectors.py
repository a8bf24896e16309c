"""Which price is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import OuterRef

from pricing import selectors, services
from pricing.errors import PriceInvalidError
from pricing.models import Price
from pricing.types import Demand
from shop.core.money import Money

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def price(minor: int, begins: timedelta, ends: timedelta | None = None, **fields: Any) -> None:
    Price.objects.create(
        **{"sku_id": "MUG", "currency": "GBP", **fields},
        unit_price_minor=minor,
        valid_from=NOW + begins,
        valid_until=None if ends is None else NOW + ends,
    )


def current(now: datetime = NOW, currency: str = "GBP") -> dict[str, Money]:
    """Look up both ways, which must agree."""
    found = selectors.current_prices(sku_ids=["MUG", "UNKNOWN"], currency=currency, now=now)
    expression = selectors.current_price_of(sku_id=OuterRef("sku_id"), currency=currency, now=now)
    minors = set(Price.objects.annotate(found=expression).values_list("found", flat=True))
    assert {Money(minor, currency) for minor in minors if minor} == set(found.values())
    return found


def test_of_the_valid_prices_the_one_that_began_last_is_in_force() -> None:
    price(1_000, -9 * DAY)
    price(1_200, -2 * DAY)
    price(1_100, -5 * DAY)
    price(9_900, DAY)

    assert current() == {"MUG": Money(1_200, "GBP")}
    assert current(NOW + DAY) == {"MUG": Money(9_900, "GBP")}


def test_when_a_price_ends_the_one_before_is_in_force_again() -> None:
    price(1_000, -9 * DAY)
    price(800, -DAY, DAY)

    assert current() == {"MUG": Money(800, "GBP")}
    assert current(NOW + DAY) == {"MUG": Money(1_000, "GBP")}
    assert current(NOW - DAY) == {"MUG": Money(800, "GBP")}
    assert current(NOW - DAY - timedelta(microseconds=1)) == {"MUG": Money(1_000, "GBP")}


def test_other_currencies_and_segments_are_other_prices() -> None:
    price(1_000, -DAY)
    price(1_300, -DAY, currency="EUR")
    price(700, -DAY / 2, segment="trade")

    assert current() == {"MUG": Money(1_000, "GBP")}
    assert current(currency="EUR") == {"MUG": Money(1_300, "EUR")}
    assert current(currency="JPY") == {}


def test_a_customer_of_a_segment_gets_its_price_and_everybody_else_the_list_price() -> None:
    price(1_000, -DAY)
    price(700, -2 * DAY, DAY, segment="trade")
    services.set_segment(user_id=42, segment="trade")
    services.set_segment(user_id=43, segment="staff")

    def asked_by(owner: str, now: datetime = NOW) -> int:
        return selectors.current_prices(sku_ids=["MUG"], currency="GBP", now=now, owner=owner)["MUG"].minor

    assert [asked_by(owner) for owner in ("u:42", "u:43", "g:42", "")] == [700, 1_000, 1_000, 1_000]
    assert asked_by("u:42", NOW + DAY) == 1_000
    services.set_segment(user_id=42, segment="")
    assert asked_by("u:42") == 1_000


@pytest.mark.parametrize("lines", [1, 100])
def test_prices_are_one_query_and_a_quote_two(django_assert_num_queries: Any, lines: int) -> None:
    sku_ids = [f"SKU-{number}" for number in range(lines)]
    services.set_prices(prices=dict.fromkeys(sku_ids, Money(100, "GBP")), valid_from=NOW - DAY)

    with django_assert_num_queries(1):
        assert len(selectors.current_prices(sku_ids=sku_ids, currency="GBP", now=NOW)) == lines
    with django_assert_num_queries(2):
        quote = selectors.quote(demands=[Demand(sku_id, 2) for sku_id in sku_ids], currency="GBP", now=NOW)
    assert quote.total == Money(200 * lines, "GBP")
    with django_assert_num_queries(0):
        assert selectors.current_prices(sku_ids=[], currency="GBP", now=NOW) == {}


def test_a_sku_without_a_price_is_named_and_in_no_total() -> None:
    price(1_400, -DAY)

    quote = selectors.quote(demands=[Demand("MUG", 2), Demand("UNKNOWN", 1)], currency="GBP", now=NOW)

    assert (quote.unpriced, quote.total) == (("UNKNOWN",), Money(2_800, "GBP"))


def test_setting_prices_keeps_what_was_before_and_replaces_the_same_moment() -> None:
    services.set_prices(prices={"MUG": Money(1_000, "GBP")}, valid_from=NOW - DAY)
    services.set_prices(prices={"MUG": Money(1_100, "GBP")}, valid_from=NOW)
    services.set_prices(prices={"MUG": Money(1_200, "GBP")}, valid_from=NOW)

    assert list(Price.objects.order_by("valid_from").values_list("unit_price_minor", flat=True)) == [1_000, 1_200]
    assert current() == {"MUG": Money(1_200, "GBP")}


@pytest.mark.parametrize("minor", [0, -1, 100_000_001])
def test_an_impossible_price_is_refused_and_none_is_set(minor: int) -> None:
    with pytest.raises(PriceInvalidError) as refused:
        services.set_prices(prices={"PLATE": Money(1, "GBP"), "MUG": Money(minor, "GBP")}, valid_from=NOW)

    assert [(detail.pointer, detail.code) for detail in refused.value.errors] == [("/MUG", "price_range")]
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"unit_price_minor": 0}, "price_is_possible"),
        ({"valid_until": NOW}, "price_ends_after_it_begins"),
        ({"valid_until": NOW - DAY}, "price_ends_after_it_begins"),
        ({"currency": "gbp"}, "price_currency_is_a_code"),
    ],
)
def test_the_database_refuses_impossible_prices(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(IntegrityError, match=name):
        Price.objects.create(**{"sku_id": "MUG", "currency": "GBP", "unit_price_minor": 1, "valid_from": NOW, **fields})


def test_two_prices_cannot_begin_at_the_same_moment() -> None:
    price(1, -DAY)

    with pytest.raises(IntegrityError, match="one_price_at_a_time"):
        price(2, -DAY)
