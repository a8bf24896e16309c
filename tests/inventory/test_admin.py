"""Staff's pages of stock, prices and products: what they show, cost and refuse."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.models import StockEntry
from pricing import services as pricing
from pricing.models import Price
from shop.catalog.models import Product, Sku
from shop.core import clock
from shop.core.money import Money
from tests.catalog.helpers import product
from tests.inventory.helpers import counters, demands, stock

pytestmark = pytest.mark.django_db

LISTS = (
    "catalog_product",
    "catalog_sku",
    "pricing_price",
    "inventory_stockitem",
    "inventory_stockentry",
    "inventory_reservation",
)


@pytest.fixture
def staff(client: Client) -> Client:
    user = get_user_model().objects.create_superuser("staff@example.com", "secret")
    client.force_login(user)
    return client


def fill(first: int, count: int) -> None:
    for number in range(first, first + count):
        sku_id = f"SKU-{number:03d}"
        product(sku_id.lower(), sku_id, title=f"Thing {number}", category=f"Category {number % 3}")
        pricing.set_prices(prices={sku_id: Money(1_400, "GBP")}, valid_from=clock.now() - timedelta(days=1))
        stock(**{sku_id: 9})
        inventory.reserve(demands=demands(**{sku_id: 2}), owner=f"chk_{number}")


def queries_of(client: Client, url: str) -> int:
    from django.db import connection  # noqa: PLC0415 - only here
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415 - only here

    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_fifty(staff: Client, name: str) -> None:
    url = reverse(f"admin:{name}_changelist")
    fill(0, 1)
    staff.get(url)  # the session and content types are read once
    one = queries_of(staff, url)
    fill(1, 49)

    assert queries_of(staff, url) == one
    assert one <= 12


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("catalog_product", "q=Thing"),
        ("catalog_product", "category=Category+0"),
        ("catalog_sku", "q=SKU-000"),
        ("catalog_sku", "stock=low"),
        ("catalog_sku", "is_sellable__exact=1"),
        ("pricing_price", "q=SKU"),
        ("pricing_price", "validity=now"),
        ("pricing_price", "validity=later"),
        ("pricing_price", "validity=over"),
        ("inventory_stockitem", "q=SKU"),
        ("inventory_stockitem", "counters=out"),
        ("inventory_stockitem", "counters=drift"),
        ("inventory_stockentry", "q=SKU-000"),
        ("inventory_stockentry", "kind__exact=initial"),
        ("inventory_reservation", "q=SKU-000"),
        ("inventory_reservation", "q=chk_0"),
        ("inventory_reservation", "attention=soon"),
        ("inventory_reservation", "attention=overdue"),
        ("inventory_reservation", "attention=pinned"),
        ("inventory_reservation", "attention=renewed"),
    ],
)
def test_each_search_and_filter_answers(staff: Client, name: str, question: str) -> None:
    fill(0, 2)

    assert staff.get(reverse(f"admin:{name}_changelist") + f"?{question}").status_code == 200


def test_the_list_of_skus_shows_price_and_stock(staff: Client) -> None:
    fill(0, 1)

    page = staff.get(reverse("admin:catalog_sku_changelist")).content.decode()

    row = page[page.index("SKU-000") :]
    cells = re.findall(r'class="field-(\w+)">(.*?)</td>', row)
    assert dict(cells) | {"price": "£14.00", "on_hand": "9", "reserved": "2", "available": "7"} == dict(cells)


def test_low_stock_is_found(staff: Client) -> None:
    fill(0, 2)
    inventory.adjust(sku_id="SKU-001", delta=-3, reason="lost", by=None)
    product("none", "SKU-NONE")

    page = staff.get(reverse("admin:catalog_sku_changelist") + "?stock=low").content.decode()

    assert "SKU-000" not in page
    assert "SKU-001" in page
    assert "SKU-NONE" in page


@pytest.mark.parametrize("name", ["inventory_stockitem", "inventory_stockentry", "inventory_reservation"])
def test_what_services_own_cannot_be_typed_over(staff: Client, name: str) -> None:
    fill(0, 1)
    listed = staff.get(reverse(f"admin:{name}_changelist"))
    key = quote(listed.context["cl"].result_list[0].pk)

    assert staff.get(reverse(f"admin:{name}_add")).status_code == 403
    assert staff.post(reverse(f"admin:{name}_delete", args=[key]), {"post": "yes"}).status_code == 403
    assert staff.post(reverse(f"admin:{name}_change", args=[key]), {"on_hand": 99, "delta": 9}).status_code == 403
    assert staff.get(reverse(f"admin:{name}_change", args=[key])).status_code == 200
    assert "delete_selected" not in listed.content.decode()
    assert counters() == {"SKU-000": (9, 2)}


def adjust_url(sku_id: str = "SKU-000") -> str:
    return reverse("admin:inventory_stockitem_adjust", args=[sku_id])


def adjustment(client: Client, **fields: Any) -> dict[str, Any]:
    page = client.get(adjust_url())
    return {"operation": page.context["form"]["operation"].value(), "reason": "received", "note": "", **fields}


def test_an_adjustment_is_in_the_ledger_with_who_and_why(staff: Client) -> None:
    fill(0, 1)

    answer = staff.post(adjust_url(), adjustment(staff, delta="-3", reason="damaged", note="pallet 7"), follow=True)

    assert "SKU-000: -3, 6 on hand." in answer.content.decode()
    assert counters() == {"SKU-000": (6, 2)}
    entry = StockEntry.objects.latest("id")
    user = get_user_model().objects.get()
    assert (entry.delta, entry.reason, entry.note, entry.by) == (-3, "damaged", "pallet 7", user.pk)
    logged = LogEntry.objects.get()
    assert (logged.user_id, logged.object_id, logged.change_message) == (user.pk, "SKU-000", "-3, damaged: pallet 7")


def test_a_form_sent_twice_adjusts_once(staff: Client) -> None:
    fill(0, 1)
    sent = adjustment(staff, delta="5")

    assert staff.post(adjust_url(), sent).status_code == 302
    assert staff.post(adjust_url(), sent).status_code == 302

    assert counters() == {"SKU-000": (14, 2)}


def test_a_form_opened_before_a_sale_does_not_undo_it(staff: Client) -> None:
    fill(0, 1)
    sent = adjustment(staff, delta="5")
    sold = inventory.reserve(demands=demands(**{"SKU-000": 4}), owner="chk_sale")
    inventory.commit(reservation_id=sold.reservation_id)

    staff.post(adjust_url(), sent)

    assert counters() == {"SKU-000": (10, 2)}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"delta": "-8"}, "delta", "At most 7 can be taken away: 9 are on hand, of which 2 are reserved."),
        ({"delta": "0"}, "delta", "0 changes nothing."),
        ({"delta": "five"}, "delta", "Enter a whole number."),
        ({"delta": ""}, "delta", "This field is required."),
        ({"delta": "99999999999999999999"}, "delta", "Ensure this value is less than or equal to 1000000000."),
        ({"delta": "1000000000"}, "delta", "At most 1000000000 units can be on hand."),
        ({"delta": "1", "reason": ""}, "reason", "This field is required."),
        (
            {"delta": "1", "reason": "sale"},
            "reason",
            "Select a valid choice. sale is not one of the available choices.",
        ),
        ({"delta": "1", "note": "x" * 201}, "note", "Ensure this value has at most 200 characters (it has 201)."),
        ({"delta": "1", "operation": "again"}, "operation", "Enter a valid value."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_changes(
    staff: Client, fields: dict[str, str], field: str, words: str
) -> None:
    fill(0, 1)

    answer = staff.post(adjust_url(), adjustment(staff, **fields))

    assert answer.status_code == 422
    assert answer.context["form"].errors == {field: [words]}
    assert words.split(".", maxsplit=1)[0] in answer.content.decode()
    assert counters() == {"SKU-000": (9, 2)}
    assert not LogEntry.objects.exists()


def test_a_sku_without_stock_can_be_stocked_and_an_unknown_one_not(staff: Client) -> None:
    product("mug", "MUG-1")

    page = staff.get(adjust_url("MUG-1"))
    staff.post(
        adjust_url("MUG-1"), {"operation": page.context["form"]["operation"].value(), "delta": 5, "reason": "received"}
    )

    assert counters() == {"MUG-1": (5, 0)}
    assert staff.get(adjust_url("NOTHING")).status_code == 404


def test_only_who_may_adjust_does(client: Client) -> None:
    fill(0, 1)
    user = get_user_model().objects.create_user("seller@example.com", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client.force_login(user)
    assert client.get(reverse("admin:inventory_stockitem_changelist")).status_code == 200

    assert client.get(adjust_url()).status_code == 403
    assert client.post(adjust_url(), {"delta": 5, "reason": "received"}).status_code == 403
    assert counters() == {"SKU-000": (9, 2)}

    user.user_permissions.add(Permission.objects.get(codename="adjust_stock"))
    assert client.get(adjust_url()).status_code == 200


def test_skus_are_taken_off_sale_and_the_log_says_who(staff: Client) -> None:
    fill(0, 2)
    chosen = Sku.objects.get(sku_id="SKU-001")

    answer = staff.post(
        reverse("admin:catalog_sku_changelist"),
        {"action": "stop_selling", "_selected_action": [chosen.pk]},
        follow=True,
    )

    assert "1 SKU is no longer sold." in answer.content.decode()
    assert dict(Sku.objects.values_list("sku_id", "is_sellable")) == {"SKU-000": True, "SKU-001": False}
    assert LogEntry.objects.get().object_id == str(chosen.pk)


def test_a_sku_keeps_its_id_and_is_never_deleted(staff: Client) -> None:
    fill(0, 1)
    sku = Sku.objects.get()
    url = reverse("admin:catalog_sku_change", args=[sku.pk])
    fields = {"sku_id": "OTHER", "product": sku.product_id, "options": "[]", "position": 3, "is_sellable": "on"}

    assert staff.post(url, fields).status_code == 302
    assert staff.post(reverse("admin:catalog_sku_delete", args=[sku.pk]), {"post": "yes"}).status_code == 403

    sku.refresh_from_db()
    assert (sku.sku_id, sku.position) == ("SKU-000", 3)


@pytest.mark.parametrize("sku_id", ["@cart", "A/B", "A\u202eB", "__proto__", "SKU-000", "x" * 65])
def test_an_impossible_or_taken_sku_is_refused_at_its_field(staff: Client, sku_id: str) -> None:
    fill(0, 1)
    fields = {"sku_id": sku_id, "product": Product.objects.get().pk, "options": "[]", "position": 0}

    answer = staff.post(reverse("admin:catalog_sku_add"), fields)

    assert answer.status_code == 200
    assert "sku_id" in answer.context["adminform"].form.errors
    assert Sku.objects.count() == 1


def test_markup_in_a_title_is_inert(staff: Client) -> None:
    product("odd", "ODD-1", title="<script>alert(1)</script>")

    for name in ("catalog_product", "catalog_sku"):
        assert "<script>alert" not in staff.get(reverse(f"admin:{name}_changelist")).content.decode()
    assert "<script>alert" not in staff.get(adjust_url("ODD-1")).content.decode()


def price_fields(**fields: Any) -> dict[str, Any]:
    return {
        "sku_id": "SKU-000",
        "currency": "GBP",
        "segment": "",
        "unit_price_minor": "1500",
        "valid_from_0": "2026-01-01",
        "valid_from_1": "00:00:00",
        "valid_until_0": "",
        "valid_until_1": "",
        **fields,
    }


def test_a_price_is_added_with_its_history(staff: Client) -> None:
    fill(0, 1)

    assert staff.post(reverse("admin:pricing_price_add"), price_fields()).status_code == 302

    added = Price.objects.get(unit_price_minor=1_500)
    assert LogEntry.objects.get().object_id == str(added.pk)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sku_id": "NOTHING"}, "sku_id"),
        ({"unit_price_minor": "0"}, "unit_price_minor"),
        ({"unit_price_minor": "-5"}, "unit_price_minor"),
        ({"unit_price_minor": "100000001"}, "unit_price_minor"),
        ({"unit_price_minor": "14.5"}, "unit_price_minor"),
        ({"currency": "gbp"}, "currency"),
        ({"valid_until_0": "2025-01-01", "valid_until_1": "00:00:00"}, "valid_until"),
    ],
)
def test_an_impossible_price_is_refused_at_its_field(staff: Client, fields: dict[str, str], field: str) -> None:
    fill(0, 1)

    answer = staff.post(reverse("admin:pricing_price_add"), price_fields(**fields))

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert Price.objects.count() == 1


def test_a_price_changed_by_somebody_else_is_not_overwritten(staff: Client) -> None:
    fill(0, 1)
    price = Price.objects.get()
    url = reverse("admin:pricing_price_change", args=[price.pk])
    opened_with = staff.get(url).context["adminform"].form["opened_with"].value()
    Price.objects.update(unit_price_minor=1_700)

    answer = staff.post(url, price_fields(opened_with=opened_with))

    assert answer.status_code == 200
    assert "unit_price_minor: 1400 → 1700" in answer.content.decode()
    price.refresh_from_db()
    assert price.unit_price_minor == 1_700


def test_a_price_that_was_in_force_is_kept_and_a_future_one_may_go(staff: Client) -> None:
    fill(0, 1)
    pricing.set_prices(prices={"SKU-000": Money(1_600, "GBP")}, valid_from=clock.now() + timedelta(days=9))
    old, future = Price.objects.order_by("valid_from")

    assert staff.post(reverse("admin:pricing_price_delete", args=[old.pk]), {"post": "yes"}).status_code == 403
    assert staff.post(reverse("admin:pricing_price_delete", args=[future.pk]), {"post": "yes"}).status_code == 302
    assert list(Price.objects.all()) == [old]


def test_an_open_product_form_notices_another_change(staff: Client) -> None:
    fill(0, 1)
    thing = Product.objects.get()
    url = reverse("admin:catalog_product_change", args=[thing.pk])
    opened_with = staff.get(url).context["adminform"].form["opened_with"].value()
    Product.objects.update(title="Renamed")
    fields = {"slug": thing.slug, "title": "Mine", "category": "Table", "description": "", "position": 0}
    skus = {"skus-TOTAL_FORMS": 0, "skus-INITIAL_FORMS": 0}

    answer = staff.post(url, {**fields, **skus, "opened_with": opened_with})

    assert "Somebody changed this since you opened it" in answer.content.decode()
    assert Product.objects.get().title == "Renamed"
