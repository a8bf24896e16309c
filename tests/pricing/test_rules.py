"""The arithmetic of prices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.rules import price_demands
from pricing.types import Demand, PriceQuote, QuoteLine
from shop.core.money import Money

SKU_IDS = st.sampled_from(["A", "B", "C", "D"])
DEMANDS = st.lists(st.builds(Demand, SKU_IDS, st.integers(1, 99)), max_size=20)
PRICES = st.dictionaries(SKU_IDS, st.integers(1, 10_000_000).map(lambda minor: Money(minor, "GBP")))


def test_a_cart_is_priced() -> None:
    quote = price_demands(
        demands=[Demand("MUG", 2), Demand("GONE", 1), Demand("TRIVET", 1), Demand("MUG", 1)],
        prices={"MUG": Money(1_400, "GBP"), "TRIVET": Money(900, "GBP")},
        currency="GBP",
    )

    assert quote == PriceQuote(
        currency="GBP",
        lines=(
            QuoteLine("MUG", 3, Money(1_400, "GBP"), Money(4_200, "GBP")),
            QuoteLine("TRIVET", 1, Money(900, "GBP"), Money(900, "GBP")),
        ),
        unpriced=("GONE",),
        subtotal=Money(5_100, "GBP"),
        total=Money(5_100, "GBP"),
    )
    assert quote.unit_price("MUG") == Money(1_400, "GBP")
    assert quote.unit_price("GONE") is None


@given(DEMANDS, PRICES)
def test_the_total_is_what_each_unit_costs(demands: list[Demand], prices: dict[str, Money]) -> None:
    quote = price_demands(demands=demands, prices=prices, currency="GBP")

    units = [prices[demand.sku_id].minor * demand.quantity for demand in demands if demand.sku_id in prices]
    assert quote.total == quote.subtotal == Money(sum(units), "GBP")
    assert sum(line.line_total.minor for line in quote.lines) == quote.total.minor
    assert all(line.line_total == line.unit_price * line.quantity for line in quote.lines)


@given(DEMANDS, PRICES)
def test_each_sku_stands_once_in_the_order_of_demand(demands: list[Demand], prices: dict[str, Money]) -> None:
    quote = price_demands(demands=demands, prices=prices, currency="GBP")

    order = list(dict.fromkeys(demand.sku_id for demand in demands))
    assert [line.sku_id for line in quote.lines] == [sku_id for sku_id in order if sku_id in prices]
    assert list(quote.unpriced) == [sku_id for sku_id in order if sku_id not in prices]


@pytest.mark.parametrize("quantity", [0, -1])
def test_less_than_one_has_no_price(quantity: int) -> None:
    with pytest.raises(ValueError, match="quantity"):
        price_demands(demands=[Demand("MUG", quantity)], prices={}, currency="GBP")


def test_prices_of_another_currency_do_not_mix() -> None:
    with pytest.raises(ValueError, match="mix"):
        price_demands(demands=[Demand("MUG", 1)], prices={"MUG": Money(1, "EUR")}, currency="GBP")
