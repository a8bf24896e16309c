"""The arithmetic of promotions and codes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.rules import canonical_code, price_demands, share_out
from pricing.types import CodeOff, Combining, Demand, Discount, PriceQuote, Reduction, ReductionKind
from shop.core.money import Money

ALL = ("A", "B", "C", "D")
PRICES = {"A": 1_000, "B": 333, "C": 50, "D": 1}


def off(kind: ReductionKind = ReductionKind.PERCENT, value: int = 10, **more: object) -> Reduction:
    return replace(Reduction(1, "Sale", kind, value, ALL), **more)  # type: ignore[arg-type]  # fields by name


def code(code_id: int = 7, **more: object) -> Reduction:
    return off(**{"code_id": code_id, "promotion_id": code_id, "label": f"CODE{code_id}", **more})  # type: ignore[arg-type]


def priced(wanted: dict[str, int], *reductions: Reduction) -> PriceQuote:
    return price_demands(
        demands=[Demand(sku_id, quantity) for sku_id, quantity in wanted.items()],
        prices={sku_id: Money(minor, "GBP") for sku_id, minor in PRICES.items()},
        currency="GBP",
        reductions=reductions,
    )


def taken(quote: PriceQuote) -> dict[str, int]:
    return {line.sku_id: line.discount_minor for line in quote.lines if line.discount_minor}


@pytest.mark.parametrize(
    ("wanted", "reduction", "lines"),
    [
        ({"A": 1, "B": 3}, off(), {"A": 100, "B": 100}),
        ({"A": 1, "B": 1}, off(value=100), {"A": 1_000, "B": 333}),
        ({"B": 1, "C": 1}, off(ReductionKind.AMOUNT, 100), {"B": 87, "C": 13}),
        ({"C": 2}, off(ReductionKind.AMOUNT, 500), {"C": 100}),
        ({"A": 2, "B": 1}, off(ReductionKind.FIXED_PRICE, 400), {"A": 1_200}),
        ({"A": 2, "C": 1}, off(ReductionKind.BUY_X_GET_Y, 2, free=1), {"C": 50}),
        ({"A": 2, "B": 4}, off(ReductionKind.BUY_X_GET_Y, 2, free=1), {"B": 666}),
        ({"A": 2}, off(ReductionKind.BUY_X_GET_Y, 2, free=1), {}),
        ({"A": 1, "B": 1}, off(sku_ids=("B",)), {"B": 33}),
        ({"A": 1}, off(minimum_minor=1_001), {}),
        ({"A": 1}, off(minimum_minor=1_000), {"A": 100}),
    ],
)
def test_each_rule_takes_off_what_it_says(wanted: dict[str, int], reduction: Reduction, lines: dict[str, int]) -> None:
    quote = priced(wanted, reduction)

    assert taken(quote) == lines
    assert quote.total.minor == quote.subtotal.minor - sum(lines.values())


def test_codes_come_after_promotions_and_percents_follow_each_other() -> None:
    quote = priced({"A": 1}, code(value=10), off(value=50))

    assert quote.discounts == (
        Discount(1, "Sale", Money(500, "GBP")),
        Discount(7, "Sale", Money(50, "GBP"), 7, "CODE7"),
    )
    assert quote.total == Money(450, "GBP")


def test_what_stands_alone_leaves_reduced_lines_and_closes_its_own() -> None:
    alone = off(value=30, combines=Combining.NOTHING, sku_ids=("B",))

    assert taken(priced({"A": 1, "B": 1}, alone, off(value=10))) == {"A": 100, "B": 100}
    assert taken(priced({"A": 1, "B": 1}, off(value=10), replace(alone, sku_ids=ALL))) == {"A": 100, "B": 33}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (code(8), ""),
        (code(8, combines=Combining.PROMOTIONS), "code_not_combinable"),
        (code(8, combines=Combining.NOTHING), "code_not_combinable"),
        (code(8, promotion_id=7), "code_not_combinable"),
        (code(8, sku_ids=("D",)), "code_not_for_cart"),
    ],
)
def test_of_two_codes_the_second_says_why_not(second: Reduction, reason: str) -> None:
    quote = priced({"A": 1}, code(7), second)

    assert quote.codes_off == ((CodeOff(8, "CODE8", reason),) if reason else ())
    assert len(quote.discounts) == (1 if reason else 2)


def test_a_code_below_its_minimum_names_it() -> None:
    quote = priced({"A": 1}, code(minimum_minor=2_000))

    assert quote.codes_off == (CodeOff(7, "CODE7", "code_minimum", Money(2_000, "GBP")),)
    assert quote.total == quote.subtotal


REDUCTIONS = st.lists(
    st.builds(
        Reduction,
        promotion_id=st.integers(1, 5),
        name=st.just("Sale"),
        kind=st.sampled_from(ReductionKind),
        value=st.integers(1, 100),
        sku_ids=st.lists(st.sampled_from(ALL), min_size=1, max_size=4).map(tuple),
        free=st.integers(1, 3),
        minimum_minor=st.integers(0, 3_000),
        combines=st.sampled_from(Combining),
        code_id=st.none() | st.integers(1, 9),
        label=st.just("CODE"),
    ),
    max_size=6,
)


@given(st.dictionaries(st.sampled_from(ALL), st.integers(1, 99), min_size=1), REDUCTIONS)
def test_lines_add_up_and_nothing_is_below_zero(wanted: dict[str, int], reductions: list[Reduction]) -> None:
    quote = priced(wanted, *reductions)

    assert all(0 <= line.discount_minor <= line.line_total.minor for line in quote.lines)
    assert sum(line.discount_minor for line in quote.lines) == sum(d.amount.minor for d in quote.discounts)
    assert sum(line.to_pay.minor for line in quote.lines) == quote.total.minor >= 0
    assert all(discount.amount.minor > 0 for discount in quote.discounts)
    entered = [reduction.code_id for reduction in reductions if reduction.code_id is not None]
    told = [d.code_id for d in quote.discounts if d.code_id] + [o.code_id for o in quote.codes_off]
    assert sorted(told) == sorted(entered)


@given(st.dictionaries(st.sampled_from(ALL), st.integers(1, 99), min_size=1), REDUCTIONS)
def test_the_same_lines_and_rules_give_the_same_quote(wanted: dict[str, int], reductions: list[Reduction]) -> None:
    quote = priced(wanted, *reductions)

    assert priced(wanted, *quote.reductions) == quote


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**8), min_size=1, max_size=100).filter(any))
def test_shares_add_up_and_are_within_one_unit_of_fair(amount: int, weights: list[int]) -> None:
    parts = share_out(amount, weights)

    whole = sum(weights)
    assert sum(parts) == amount
    assert all(abs(part * whole - amount * weight) < whole for part, weight in zip(parts, weights, strict=True))
    if amount <= whole:
        assert all(part <= weight for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize(("amount", "weights"), [(-1, [1]), (1, [0]), (1, []), (1, [2, -1])])
def test_what_cannot_be_shared_out_is_refused(amount: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="shared"):
        share_out(amount, weights)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" welcome10 ", "WELCOME10"),
        ("ＷＥＬＣＯＭＥ１０", "WELCOME10"),
        ("", ""),
        ("WEL COME", ""),
        ("A" * 64, "A" * 64),
        ("A" * 65, ""),
        ("A\x00B", ""),
        ("%", "%"),
    ],
)
def test_codes_are_looked_up_in_one_form(typed: str, meant: str) -> None:
    assert canonical_code(typed) == meant
