"""How two carts are joined."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cart.rules import MergeLimits, acknowledged_prices, is_worth_telling, join_carts, notice_id
from cart.types import CartLine, MergeOutcome, MergePolicy
from shop.core.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SKUS = [f"S{n}" for n in range(8)]

carts = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 9), max_size=5)
policies = st.sampled_from(list(MergePolicy))
stock = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12))
left_out = st.dictionaries(st.sampled_from(SKUS), st.just(MergeOutcome.DISCONTINUED), max_size=2)


def _lines(cart: dict[str, int]) -> list[CartLine]:
    return [CartLine(sku, quantity, Money(100, "GBP"), NOW) for sku, quantity in cart.items()]


@given(account=carts, guest=carts, policy=policies, available=stock, out=left_out, most=st.integers(1, 8))
def test_nothing_is_lost_unsaid(
    account: dict[str, int],
    guest: dict[str, int],
    policy: MergePolicy,
    available: dict[str, int],
    out: dict[str, MergeOutcome],
    most: int,
) -> None:
    limits = MergeLimits(lines=most, quantity=9, available=available)
    joined = join_carts(account=_lines(account), guest=_lines(guest), policy=policy, limits=limits, left_out=out)
    result = {line.sku_id: line.quantity for line in joined.lines}

    # Each of the guest's lines has its line on the receipt, with true numbers.
    assert sorted(line.sku_id for line in joined.receipt) == sorted(guest)
    for line in joined.receipt:
        assert (line.account, line.guest) == (account.get(line.sku_id, 0), guest[line.sku_id])
        assert line.result == result.get(line.sku_id, 0)
        assert (line.outcome is MergeOutcome.ASKED) == (line.sku_id in {asked.sku_id for asked in joined.asked})
        cut = {MergeOutcome.CAPPED, MergeOutcome.DISCONTINUED, MergeOutcome.LIST_FULL}
        wanted = line.account + line.guest if policy is MergePolicy.SUM else max(line.account, line.guest)
        if line.result < wanted and policy is not MergePolicy.KEEP_SAVED:
            assert line.outcome in (cut | {MergeOutcome.ASKED} if policy is MergePolicy.PROMPT else cut)
    # The account loses nothing, and no cap is passed by what the guest brought.
    for sku, quantity in account.items():
        assert result[sku] >= quantity
    for sku, quantity in result.items():
        if quantity > account.get(sku, 0):
            assert quantity <= min(9, available.get(sku, 9))
            assert sku not in out
    assert len(result) <= max(most, len(account))


@given(account=carts, guest=carts, policy=st.sampled_from([MergePolicy.MAX, MergePolicy.KEEP_SAVED]))
def test_joining_again_changes_nothing(account: dict[str, int], guest: dict[str, int], policy: MergePolicy) -> None:
    limits = MergeLimits(lines=100, quantity=99, available={})
    once = join_carts(account=_lines(account), guest=_lines(guest), policy=policy, limits=limits, left_out={})
    twice = join_carts(account=once.lines, guest=_lines(guest), policy=policy, limits=limits, left_out={})
    assert twice.lines == once.lines


def test_a_merge_is_told_if_both_had_lines_or_something_was_left_out() -> None:
    limits = MergeLimits(lines=100, quantity=99, available={"S1": 1})

    def told(account: dict[str, int], guest: dict[str, int]) -> bool:
        joined = join_carts(
            account=_lines(account), guest=_lines(guest), policy=MergePolicy.MAX, limits=limits, left_out={}
        )
        return is_worth_telling(account=_lines(account), receipt=joined.receipt)

    assert not told({}, {"S0": 1})
    assert told({"S2": 1}, {"S0": 1})
    assert told({}, {"S1": 2})
    assert not told({"S2": 1}, {})


def test_the_last_acknowledged_price_counts_and_ids_may_hold_colons() -> None:
    ids = (notice_id("price_up", 1_400, "A:B"), notice_id("short", 2, "C"), "nonsense", "price_up:x:D")
    assert acknowledged_prices(ids, "GBP") == {"A:B": Money(1_400, "GBP")}
