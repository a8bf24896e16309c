"""Pure decisions of inventory."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.types import AvailabilityState, StockDemand, StockEntryKind, StockReason

_KINDS = {
    StockReason.RETURNED: StockEntryKind.RETURN,
    StockReason.RECOUNT: StockEntryKind.RECOUNT,
    StockReason.SALE: StockEntryKind.SALE,
}


def sum_demands(demands: Iterable[StockDemand]) -> tuple[StockDemand, ...]:
    """Sum demands per SKU and put them in the order in which stock rows are locked.

    :raises ValueError: if a quantity is below 1, or nothing is wanted.
    """
    wanted: dict[str, int] = {}
    for demand in demands:
        if demand.quantity < 1:
            msg = f"{demand.quantity} units of {demand.sku_id} cannot be reserved"
            raise ValueError(msg)
        wanted[demand.sku_id] = wanted.get(demand.sku_id, 0) + demand.quantity
    if not wanted:
        msg = "nothing to reserve"
        raise ValueError(msg)
    return tuple(StockDemand(sku_id, wanted[sku_id]) for sku_id in sorted(wanted))


def availability_state(*, available: int, reserved_by_others: int, low_stock: int) -> AvailabilityState:
    """Say what a shopper is told, without regard to how many are wanted.

    `reserved_by_others` counts units in live reservations of others: they may come back.
    """
    if available > low_stock:
        return AvailabilityState.IN_STOCK
    if available > 0:
        return AvailabilityState.LOW
    return AvailabilityState.RESERVED_BY_OTHERS if reserved_by_others > 0 else AvailabilityState.OUT


def entry_kind(reason: StockReason, *, is_first: bool) -> StockEntryKind:
    """Say what kind of ledger entry an adjustment is; the first one of a SKU brings its initial stock."""
    if is_first:
        return StockEntryKind.INITIAL
    return _KINDS.get(reason, StockEntryKind.ADJUST)
