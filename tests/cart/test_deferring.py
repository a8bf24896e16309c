"""What shoppers defer, read for staff and for personalization."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cart import deferring, recorder, selectors, services
from cart.types import CartRef, DeferredLine
from pricing import services as pricing
from shop.catalog.models import Sku
from shop.core import clock
from shop.core.money import Money
from tests.cart.helpers import NOW, customer, make_sku, new_guest

pytestmark = pytest.mark.django_db


def save(ref: CartRef, sku_id: str, quantity: int = 1) -> None:
    """Put a SKU on a saved list."""
    services.set_saved_quantity(ref=ref, sku_id=sku_id, quantity=quantity, now=NOW)


@pytest.fixture
def deferred() -> None:
    """Three shoppers defer two SKUs; one of them got cheaper since, the other dearer."""
    make_sku("LAMP", price=3_000)
    make_sku("MUG", price=1_200)
    save(customer(1), "MUG", 2)
    save(customer(1), "LAMP")
    save(customer(2), "LAMP", 3)
    save(new_guest(), "MUG")
    recorder.drain()
    pricing.set_prices(prices={"LAMP": Money(2_400, "GBP"), "MUG": Money(1_300, "GBP")}, valid_from=NOW)


def listed(**wanted: object) -> list[tuple[int | None, str, int]]:
    """Tell who deferred how many of what."""
    lines = selectors.list_deferred(now=clock.now(), limit=100, **wanted)  # type: ignore[arg-type]
    return [(line.user_id, line.sku_id, line.quantity) for line in lines]


def test_saved_lines_are_listed_of_all_of_a_sku_of_a_customer_and_of_fallen_prices(deferred: None) -> None:
    assert sorted(listed(), key=str) == [(1, "LAMP", 1), (1, "MUG", 2), (2, "LAMP", 3), (None, "MUG", 1)]
    assert listed(sku_id="MUG") in ([(1, "MUG", 2), (None, "MUG", 1)], [(None, "MUG", 1), (1, "MUG", 2)])
    assert listed(user_id=2) == [(2, "LAMP", 3)]
    assert sorted(listed(has_dropped=True), key=str) == [(1, "LAMP", 1), (2, "LAMP", 3)]
    assert listed(user_id=2, sku_id="MUG") == []


def test_a_line_tells_the_price_then_and_now_and_the_drop(deferred: None) -> None:
    (lamp,) = selectors.list_deferred(now=clock.now(), limit=1, user_id=2)
    mug = selectors.list_deferred(now=clock.now(), limit=1, user_id=1, sku_id="MUG")[0]
    assert (lamp.price_then, lamp.price_now, lamp.price_drop) == tuple(Money(n, "GBP") for n in (3_000, 2_400, 600))
    assert mug.price_drop == Money(0, "GBP")
    assert abs(lamp.saved_at - clock.now()) < timedelta(minutes=1)


def test_an_unknown_price_has_no_drop(deferred: None) -> None:
    before_any_price = NOW - timedelta(days=4_000)
    (lamp,) = selectors.list_deferred(now=before_any_price, limit=1, user_id=2)
    assert (lamp.price_now, lamp.price_drop) == (None, None)


def test_pages_follow_each_other_without_gap_or_repeat_and_cost_one_query(deferred: None) -> None:
    seen: list[DeferredLine] = []
    cursor = ""
    while True:
        with CaptureQueriesContext(connection) as queries:
            page = selectors.list_deferred(now=clock.now(), limit=1, cursor=cursor)
        assert len(queries) == 1
        if not page:
            break
        seen += page
        cursor = page[-1].cursor
    assert tuple(seen) == selectors.list_deferred(now=clock.now(), limit=100)
    for wrong in ("x", "1", ":", "-1:A", "9" * 19 + ":A"):
        with pytest.raises(ValueError, match=r".*"):
            selectors.list_deferred(now=clock.now(), limit=1, cursor=wrong)


def test_merged_and_ordered_carts_defer_nothing(deferred: None) -> None:
    guest = new_guest()
    save(guest, "LAMP", 9)
    recorder.drain()
    services.merge_guest_cart(guest_ref=guest, user_id=3, now=NOW)
    recorder.drain()
    assert [row for row in listed(sku_id="LAMP") if row[0] not in (1, 2)] == [(3, "LAMP", 9)]


def export(*options: str) -> str:
    """Run the command."""
    out = io.StringIO()
    call_command("export_saved_lines", *options, stdout=out)
    return out.getvalue()


def test_the_command_writes_csv_and_json(deferred: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferring, "BATCH", 2)
    rows = list(csv.DictReader(io.StringIO(export())))
    assert len(rows) == 4
    (lamp,) = [row for row in rows if row["user_id"] == "2"]
    assert {**lamp, "saved_at": ""} == {
        "user_id": "2",
        "sku_id": "LAMP",
        "quantity": "3",
        "saved_at": "",
        "price_then_minor": "3000",
        "price_now_minor": "2400",
        "price_drop_minor": "600",
        "currency": "GBP",
    }
    objects = [json.loads(line) for line in export("--format", "json", "--dropped", "--customer", "2").splitlines()]
    assert [(row["user_id"], row["sku_id"], row["price_drop_minor"]) for row in objects] == [(2, "LAMP", 600)]
    assert export("--sku", "MUG").count("MUG") == 2
    with pytest.raises(CommandError):
        export("--sku", "@")


def test_an_item_number_is_no_formula_in_a_spreadsheet() -> None:
    make_sku("=1+1")
    save(customer(1), "=1+1")
    recorder.drain()
    assert Sku.objects.get().sku_id == "=1+1"
    assert ",'=1+1," in export()
    assert json.loads(export("--format", "json"))["sku_id"] == "=1+1"
