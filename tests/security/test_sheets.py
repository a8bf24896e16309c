"""Tables that staff take away: what a spreadsheet would take for a formula is text, whoever wrote it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import RequestFactory

from cart import deferring
from cart.models import SavedLine
from cart.types import DeferredLine
from inventory.models import StockItem
from pricing.models import PriceDelta
from shop.core.sheets import defused

FORMULA = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_what_begins_like_a_formula_is_text(begin: str) -> None:
    assert defused(f"{begin}1+1") == f"'{begin}1+1"
    assert defused(f"a{begin}1") == f"a{begin}1"
    assert defused(-1) == -1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "row"),
    [
        (StockItem, StockItem(sku_id=FORMULA, on_hand=3, reserved=1)),
        (PriceDelta, PriceDelta(sku_id=FORMULA, owner="u:1", currency="GBP", quantity=1, checkout_id="-2+3")),
        (SavedLine, DeferredLine("", 1, FORMULA, 2, datetime(2026, 1, 1, tzinfo=UTC), None, None)),
    ],
)
def test_no_list_that_staff_export_holds_a_formula(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch, model: type[Model], row: Any
) -> None:
    monkeypatch.setattr(deferring, "to_line", lambda line: line)
    exported = admin.site._registry[model].export(rf.get("/"), [row])  # type: ignore[attr-defined]  # an action
    cells = [cell for line in csv.reader(io.StringIO(exported.content.decode())) for cell in line]
    assert f"'{FORMULA}" in cells
    assert [cell for cell in cells if cell[:1] in ("=", "+", "@")] == []
    assert "-2+3" not in cells


def test_every_action_that_exports_is_tried_here() -> None:
    found = {model for model, page in admin.site._registry.items() if "export" in (page.actions or ())}
    assert found == {StockItem, PriceDelta, SavedLine}
