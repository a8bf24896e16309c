"""Money: whole minor units, one currency at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.core.money import Money, total

AMOUNTS = st.integers(min_value=-(10**15), max_value=10**15)


@given(AMOUNTS, AMOUNTS)
def test_adding_and_taking_away_is_exact(one: int, other: int) -> None:
    assert Money(one, "GBP") + Money(other, "GBP") - Money(other, "GBP") == Money(one, "GBP")


@given(AMOUNTS, st.integers(min_value=0, max_value=9_999))
def test_a_line_total_is_its_units_added_up(minor: int, quantity: int) -> None:
    assert Money(minor, "GBP") * quantity == Money(minor * quantity, "GBP")


def test_the_digits_after_the_point_are_the_currencys_own() -> None:
    assert Money(1400, "GBP").decimal == Decimal("14.00")
    assert Money(1400, "JPY").decimal == Decimal(1400)
    assert Money(1400, "KWD").decimal == Decimal("1.400")


def test_an_amount_is_written_as_people_of_the_locale_do() -> None:
    assert Money(123456, "GBP").format("en_GB") == "£1,234.56"
    assert Money(123456, "EUR").format("de_DE") == "1.234,56\N{NO-BREAK SPACE}€"
    assert Money(-500, "GBP").format("en_GB") == "-£5.00"


@pytest.mark.parametrize("minor", [1.5, "1", True, None])
def test_only_whole_numbers_are_money(minor: object) -> None:
    with pytest.raises(TypeError, match="minor must be an int"):
        Money(cast("int", minor), "GBP")


@pytest.mark.parametrize("currency", ["", "gbp", "POUND", "£££"])
def test_only_three_capital_letters_are_a_currency(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, currency)


def test_two_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not mix"):
        Money(1, "GBP") + Money(1, "EUR")
    with pytest.raises(ValueError, match="do not mix"):
        assert Money(1, "GBP") < Money(1, "EUR")


def test_half_a_unit_cannot_be_bought() -> None:
    with pytest.raises(TypeError, match="whole quantities"):
        Money(1, "GBP") * cast("int", 1.5)


def test_nothing_adds_up_to_zero() -> None:
    assert total([], "GBP") == Money(0, "GBP")
    assert total([Money(1, "GBP"), Money(2, "GBP")], "GBP") == Money(3, "GBP")
