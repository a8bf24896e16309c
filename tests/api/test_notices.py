"""What changed without the shopper's doing is told until it is acknowledged."""

from __future__ import annotations

import pytest

from shop.catalog.models import Sku
from tests.api.helpers import Api, assert_problem, sell, set_price


@pytest.fixture
def changed(api: Api) -> Api:
    """Give a guest whose three SKUs rose in price, ran short, and are no longer sold."""
    from inventory.models import StockItem  # noqa: PLC0415

    for sku_id in ("MUG-1", "MUG-2", "MUG-3"):
        sell(sku_id, price=1000)
        api("PUT", f"cart/items/{sku_id}", {"quantity": 3})
    set_price("MUG-1", 1200)
    StockItem.objects.filter(sku_id="MUG-2").update(on_hand=1)
    Sku.objects.filter(sku_id="MUG-3").update(is_sellable=False)
    return api


def test_each_change_is_named_with_what_was_and_is(changed: Api) -> None:
    cart = changed("GET", "cart?expand=notices,totals,items.price,items.availability").json()

    notices = {notice["kind"]: notice for notice in cart["notices"]}
    assert set(notices) == {"price_up", "short", "discontinued"}
    assert notices["price_up"]["was"] == {"amount": 1000, "currency": "GBP"}
    assert notices["price_up"]["now"] == {"amount": 1200, "currency": "GBP"}
    assert (notices["short"]["was"], notices["short"]["now"]) == (3, 1)
    assert notices["discontinued"]["sku_id"] == "MUG-3"
    assert all(notice["message"] for notice in cart["notices"])
    lines = {line["sku_id"]: line for line in cart["items"]}
    assert lines["MUG-1"]["price"]["delta"] == {"amount": 200, "currency": "GBP"}
    assert lines["MUG-2"]["availability"] == {"state": "short", "buyable": 1}
    assert (lines["MUG-3"]["availability"]["state"], lines["MUG-3"]["line_total"]) == ("discontinued", None)


def test_acknowledging_by_id_clears_those_and_takes_the_line_that_is_not_sold_out(changed: Api) -> None:
    notices = changed("GET", "cart?expand=notices").json()["notices"]
    ids = [notice["id"] for notice in notices if notice["kind"] != "short"]

    answer = changed("POST", "cart/notices/ack?expand=notices", {"notice_ids": ids})

    assert [notice["kind"] for notice in answer.json()["notices"]] == ["short"]
    assert [line["sku_id"] for line in answer.json()["items"]] == ["MUG-1", "MUG-2"]


def test_acknowledging_by_version_clears_what_that_version_showed(changed: Api) -> None:
    version = changed("GET", "cart?expand=notices").json()["version"]

    answer = changed("POST", "cart/notices/ack?expand=notices", {"up_to_version": version})

    assert answer.json()["notices"] == []
    lines = {line["sku_id"]: line for line in changed("GET", "cart?expand=items.availability").json()["items"]}
    assert lines["MUG-2"]["availability"] == {"state": "short", "buyable": 1}


def test_a_version_that_is_not_the_last_one_acknowledges_nothing(changed: Api) -> None:
    before = changed("GET", "cart?expand=notices").json()

    answer = changed("POST", "cart/notices/ack", {"up_to_version": before["version"] - 1})

    assert_problem(answer, 412, "cart_changed")
    assert changed("GET", "cart?expand=notices").json() == before


@pytest.mark.parametrize("data", [{}, {"notice_ids": [], "up_to_version": 1}])
def test_exactly_one_way_of_acknowledging_is_taken(changed: Api, data: object) -> None:
    assert_problem(changed("POST", "cart/notices/ack", data), 422, "validation_failed")


def test_ids_that_are_none_are_passed_over(changed: Api) -> None:
    before = changed("GET", "cart?expand=notices").json()["notices"]

    answer = changed("POST", "cart/notices/ack", {"notice_ids": ["nothing", "price_up:1:NOPE", "", "x" * 300]})

    assert answer.status_code in (200, 422)
    assert changed("GET", "cart?expand=notices").json()["notices"] == before
