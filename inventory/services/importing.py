"""Book many adjustments, all or none."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from inventory.errors import AdjustmentInvalidError, StockBelowReservedError, StockBusyError
from inventory.importing import Row
from inventory.services.adjusting import adjust
from shop.core.db import failures_named
from shop.core.errors import ErrorDetail


def adjust_many(*, adjustments: Sequence[Row], by: int | None, reference: str) -> int:
    """Book all rows, or none; how many. Sent twice with the same reference they are booked once.

    :raises AdjustmentInvalidError: if a row cannot be booked; one detail each, at `/rows/<row of the file>`.
    :raises StockBusyError: if others keep the rows locked.
    """
    refused: list[ErrorDetail] = []
    with failures_named(StockBusyError), transaction.atomic():
        for row in sorted(adjustments, key=lambda row: row.sku_id):  # the order in which stock is locked
            try:
                adjust(
                    sku_id=row.sku_id,
                    delta=row.delta,
                    reason=row.reason,
                    by=by,
                    note=row.note,
                    reference=reference,
                    location=row.location,
                )
            except (StockBelowReservedError, AdjustmentInvalidError) as refusal:
                refused += [ErrorDetail(f"/rows/{row.row}", d.code, d.params) for d in refusal.errors]
        if refused:
            raise AdjustmentInvalidError(errors=tuple(refused))
    return len(adjustments)
