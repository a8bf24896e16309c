"""Pure decisions of inventory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.rules import availability_state, entry_kind, sum_demands
from inventory.types import AvailabilityState, StockDemand, StockEntryKind, StockReason

DEMANDS = st.lists(
    st.builds(StockDemand, st.sampled_from(["A", "B", "C", "Ä", "a"]), st.integers(1, 99)), min_size=1, max_size=20
)


@given(DEMANDS)
def test_summing_keeps_the_units_of_each_sku_and_sorts_by_sku(demands: list[StockDemand]) -> None:
    summed = sum_demands(demands)

    assert [demand.sku_id for demand in summed] == sorted({demand.sku_id for demand in demands})
    for demand in summed:
        assert demand.quantity == sum(one.quantity for one in demands if one.sku_id == demand.sku_id)


@pytest.mark.parametrize("demands", [[], [StockDemand("A", 0)], [StockDemand("A", 2), StockDemand("B", -1)]])
def test_nothing_and_less_than_one_cannot_be_demanded(demands: list[StockDemand]) -> None:
    with pytest.raises(ValueError, match="reserve"):
        sum_demands(demands)


@pytest.mark.parametrize(
    ("available", "others", "state"),
    [
        (6, 0, AvailabilityState.IN_STOCK),
        (5, 9, AvailabilityState.LOW),
        (1, 0, AvailabilityState.LOW),
        (0, 1, AvailabilityState.RESERVED_BY_OTHERS),
        (0, 0, AvailabilityState.OUT),
    ],
)
def test_a_shopper_is_told_how_much_there_is(available: int, others: int, state: AvailabilityState) -> None:
    assert availability_state(available=available, reserved_by_others=others, low_stock=5) is state


def test_the_first_entry_of_a_sku_is_its_initial_stock() -> None:
    assert entry_kind(StockReason.RETURNED, is_first=True) is StockEntryKind.INITIAL
    assert entry_kind(StockReason.RETURNED, is_first=False) is StockEntryKind.RETURN
    assert entry_kind(StockReason.RECOUNT, is_first=False) is StockEntryKind.RECOUNT
    assert entry_kind(StockReason.LOST, is_first=False) is StockEntryKind.ADJUST
