"""Adjusting what is on hand."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from inventory import services as inventory
from inventory.errors import AdjustmentInvalidError, StockBelowReservedError
from inventory.models import StockEntry
from inventory.services import adjusting
from tests.inventory.helpers import assert_balanced, counters, demands, stock

pytestmark = pytest.mark.django_db


def ledger() -> list[tuple[Any, ...]]:
    fields = ("sku_id", "delta", "on_hand_after", "kind", "reason", "note", "by", "reference")
    return list(StockEntry.objects.order_by("id").values_list(*fields))


def test_each_difference_is_in_the_ledger() -> None:
    assert inventory.adjust(sku_id="MUG", delta=5, reason="received", by=7, note="pallet 7") == 5
    assert inventory.adjust(sku_id="MUG", delta=-2, reason="damaged", by=7) == 3
    assert inventory.adjust(sku_id="MUG", delta=1, reason="returned", by=None, reference="ord_1") == 4
    assert inventory.adjust(sku_id="MUG", delta=-1, reason="recount", by=7) == 3

    assert ledger() == [
        ("MUG", 5, 5, "initial", "received", "pallet 7", 7, ""),
        ("MUG", -2, 3, "adjust", "damaged", "", 7, ""),
        ("MUG", 1, 4, "return", "returned", "", None, "ord_1"),
        ("MUG", -1, 3, "recount", "recount", "", 7, ""),
    ]
    assert counters() == {"MUG": (3, 0)}
    assert_balanced()


def test_reserved_units_cannot_be_taken_away() -> None:
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=3), owner="chk_1")
    before = ledger()

    with pytest.raises(StockBelowReservedError) as refused:
        inventory.adjust(sku_id="MUG", delta=-3, reason="lost", by=7)

    assert (refused.value.on_hand, refused.value.reserved) == (5, 3)
    assert [(d.pointer, d.code) for d in refused.value.errors] == [("/delta", "stock_below_reserved")]
    assert counters() == {"MUG": (5, 3)}
    assert ledger() == before
    assert inventory.adjust(sku_id="MUG", delta=-2, reason="lost", by=7) == 3


def test_twin_without_the_condition_it_is_no_answer_but_an_error_of_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    covered = "WHERE s.on_hand + %(delta)s BETWEEN s.reserved AND %(most)s"
    assert covered in adjusting.ADJUST
    monkeypatch.setattr(adjusting, "ADJUST", adjusting.ADJUST.replace(covered, ""))
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=3), owner="chk_1")

    with pytest.raises(IntegrityError):
        inventory.adjust(sku_id="MUG", delta=-3, reason="lost", by=7)


def test_nothing_can_be_taken_from_a_sku_without_stock() -> None:
    with pytest.raises(StockBelowReservedError):
        inventory.adjust(sku_id="MUG", delta=-1, reason="lost", by=7)

    assert counters() == {}
    assert ledger() == []


@pytest.mark.parametrize(
    ("delta", "reason", "note", "code"),
    [
        (0, "received", "", "delta_zero"),
        (1_000_000_001, "received", "", "delta_range"),
        (10**30, "received", "", "delta_range"),
        (1_000_000_000, "received", "", "delta_range"),
        (1, "sale", "", "reason_unknown"),
        (1, "because", "", "reason_unknown"),
        (1, "received", "x" * 201, "max_length"),
    ],
)
def test_what_makes_no_sense_is_refused(delta: int, reason: str, note: str, code: str) -> None:
    stock(MUG=1)
    before = ledger()

    with pytest.raises(AdjustmentInvalidError) as refused:
        inventory.adjust(sku_id="MUG", delta=delta, reason=reason, by=7, note=note)

    assert [detail.code for detail in refused.value.errors] == [code]
    assert counters() == {"MUG": (1, 0)}
    assert ledger() == before


def test_the_same_reference_is_adjusted_once() -> None:
    stock(MUG=1)

    first = inventory.adjust(sku_id="MUG", delta=5, reason="received", by=7, reference="adj_1")
    inventory.adjust(sku_id="MUG", delta=1, reason="found", by=7)
    again = inventory.adjust(sku_id="MUG", delta=5, reason="received", by=7, reference="adj_1")

    assert first == again == 6
    assert counters() == {"MUG": (7, 0)}
