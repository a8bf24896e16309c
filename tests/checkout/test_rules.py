"""The pure decisions of checkout."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pricing.types import PriceQuote, QuoteLine
from shop.checkout import rules
from shop.checkout.rules import Claim
from shop.checkout.types import PaymentState, PriceChange
from shop.core.money import Money

quantities = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 99))
states = st.sampled_from(list(PaymentState))


def quote(total: int) -> PriceQuote:
    """Make a quote of one line."""
    money = Money(total, "GBP")
    return PriceQuote("GBP", (QuoteLine("A", 1, money, money),), (), money, money)


@given(quantities, quantities)
def test_what_remains_is_never_more_than_bought_or_wanted(bought: dict[str, int], wanted: dict[str, int]) -> None:
    kept = rules.remaining(bought, wanted)
    assert set(kept) == set(bought) & set(wanted)
    assert all(1 <= kept[sku] <= min(bought[sku], wanted[sku]) for sku in kept)
    assert rules.remaining(kept, wanted) == kept


@given(states, states)
def test_no_state_is_left_for_an_earlier_one_and_back(current: PaymentState, new: PaymentState) -> None:
    is_waiting = {current, new} == {PaymentState.PROCESSING, PaymentState.REQUIRES_ACTION}
    both_ways = rules.may_move(current, new) and rules.may_move(new, current)
    assert both_ways == is_waiting


def test_every_payment_state_has_a_rank() -> None:
    assert set(rules.PRECEDENCE) == set(PaymentState)
    final = [PaymentState.FAILED, PaymentState.SUCCEEDED, PaymentState.REFUND_DUE, PaymentState.REFUNDED]
    assert all(rules.may_move(earlier, later) for earlier, later in pairwise(final))


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_named_total_agrees_to_so_much_and_no_more(total: int, accepted: int) -> None:
    rise = PriceChange("A", "A", Money(0, "GBP"), Money(total, "GBP"))
    assert rules.must_be_agreed(quote(total), [rise], accepted) == (total > accepted)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_without_a_named_total_only_a_rise_asks(was: int, now: int) -> None:
    shown: dict[str, Money | None] = {"A": Money(was, "GBP")}
    changes = rules.price_changes(quote(now), shown, {"A": "Mug"})
    assert len(changes) == (was != now)
    assert rules.must_be_agreed(quote(now), changes, None) == (now > was)


def test_a_line_never_shown_has_no_change_and_one_in_another_currency_has_one_that_is_no_rise() -> None:
    assert rules.price_changes(quote(5), {}, {}) == ()
    assert rules.price_changes(quote(5), {"A": None}, {}) == ()
    (change,) = rules.price_changes(quote(5), {"A": Money(4, "USD")}, {})
    assert (change.was, change.now) == (Money(4, "USD"), Money(5, "GBP"))
    assert not rules.must_be_agreed(quote(5), (change,), None)
    assert rules.must_be_agreed(quote(5), (change,), 5, is_other_currency=True)


def test_the_first_contradiction_is_named_and_equal_claims_have_none() -> None:
    ours = Claim("chk", 100, "GBP", "acct", is_live=False)
    assert rules.mismatch(ours, ours) == ""
    assert rules.mismatch(ours, Claim("chk", 1, "USD", "acct", is_live=False)) == "wrong_currency"


def test_what_is_missing_is_listed_in_the_shoppers_order() -> None:
    assert rules.requirements(email="", has_address=False, is_reserved=False) == (
        "email",
        "shipping_address",
        "reservation",
    )
    assert rules.requirements(email="a@b.c", has_address=True, is_reserved=True) == ()
