"""Stock as CSV: a preview first, all rows or none, mistakes by their rows; and out again without formulas."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.importing import Problem, Row, read_sheet
from inventory.models import StockEntry
from inventory.types import StockReason
from shop.core.sheets import defused
from tests.cart.helpers import make_sku
from tests.inventory.helpers import assert_balanced, counters, demands

URL = "/admin/inventory/stockitem/import/"


def read(text: str, *known: str) -> tuple[tuple[Row, ...], tuple[Problem, ...]]:
    sheet = read_sheet(text, find_known=lambda asked: set(asked) & set(known))
    return sheet.rows, sheet.problems


def test_rows_are_read_by_their_headings_and_put_in_the_order_of_locks() -> None:
    rows, problems = read('\ufeffReason,SKU_ID,change,note\nlost,MUG,-2,"a, b"\nreceived,LAMP,+5,\n', "MUG", "LAMP")

    assert problems == ()
    assert rows == (
        Row(3, "LAMP", 5, StockReason.RECEIVED, ""),
        Row(2, "MUG", -2, StockReason.LOST, "a, b"),
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("sku_id,change\nMUG,1\n", (Problem(1, "columns"),)),
        ("", (Problem(1, "columns"),)),
        ("sku_id,change,reason\n", (Problem(0, "rows", "1000"),)),
        ("sku_id,change,reason\n" + "MUG,1,found\n" * 1_001, (Problem(0, "rows", "1000"),)),
        ("sku_id,change,reason\nMUG,1,found\nMUG,2,found\n", (Problem(3, "twice", "MUG"),)),
        ("sku_id,change,reason\nCUP,1,found\n", (Problem(2, "sku_unknown", "CUP"),)),
        ("sku_id,change,reason\nMUG,0,sale\n", (Problem(2, "change", "0"), Problem(2, "reason", "sale"))),
        ("sku_id,change,reason\nMUG,1.5,found\n", (Problem(2, "change", "1.5"),)),
        ("sku_id,change,reason,note\nMUG,1,found," + "x" * 201 + "\n", (Problem(2, "note"),)),
    ],
)
def test_each_mistake_is_told_with_its_row(text: str, problems: tuple[Problem, ...]) -> None:
    assert read(text, "MUG")[1] == problems


def test_a_file_that_is_no_csv_is_refused() -> None:
    (problem,) = read('sku_id,change,reason\n"MUG,1,found\n', "MUG")[1]
    assert (problem.row, problem.code) == (0, "unreadable")


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    make_sku("MUG", on_hand=5)
    make_sku("LAMP", on_hand=5)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def show(client: Client, text: str) -> tuple[str, dict[str, str]]:
    """Upload a file; the page, and what its button would send."""
    operation = re.search(r'value="(imp_\w+)"', client.get(URL).content.decode())
    assert operation
    file = SimpleUploadedFile("stock.csv", text.encode())
    page = client.post(URL, {"file": file, "operation": operation[1], "do": "show"}).content.decode()
    return page, {"text": text, "operation": operation[1], "do": "book"}


def test_a_preview_changes_nothing_and_booking_books_every_row_once(staff: Client) -> None:
    page, sent = show(staff, "sku_id,change,reason,note\nMUG,3,received,<i>pallet 7</i>\nLAMP,-1,damaged,\n")
    assert "Book 2 adjustments" in page
    assert "&lt;i&gt;pallet 7&lt;/i&gt;" in page
    assert counters() == {"MUG": (5, 0), "LAMP": (5, 0)}

    for _ in range(2):
        assert "2 adjustments booked." in staff.post(URL, sent).content.decode()

    assert counters() == {"MUG": (8, 0), "LAMP": (4, 0)}
    assert StockEntry.objects.filter(reference=sent["operation"]).count() == 2
    assert LogEntry.objects.filter(object_id="MUG").exists()
    assert_balanced()


def test_one_row_that_cannot_be_booked_keeps_all_from_being_booked(staff: Client) -> None:
    _, sent = show(staff, "sku_id,change,reason\nMUG,3,received\nLAMP,-2,lost\n")
    inventory.reserve(demands=demands(LAMP=4), owner="chk_1")

    response = staff.post(URL, sent)

    assert response.status_code == 422
    text = " ".join(response.content.decode().split())
    assert "Row 3: At most 1 can be taken away" in text
    assert "(fewer than reserved)" in text
    assert counters() == {"MUG": (5, 0), "LAMP": (5, 4)}
    assert not LogEntry.objects.exists()


def test_a_file_with_mistakes_offers_no_booking_and_none_is_taken(staff: Client) -> None:
    page, sent = show(staff, "sku_id,change,reason\nCUP,1,found\n")
    assert "There is no SKU “CUP”." in page
    assert "What this file does" not in page

    assert staff.post(URL, sent).status_code == 422
    assert StockEntry.objects.filter(sku_id="CUP").count() == 0


def test_what_is_not_utf8_or_no_file_is_told(staff: Client) -> None:
    operation = "imp_" + "0" * 24
    wrong = SimpleUploadedFile("stock.csv", "sku_id,change,reason\nMÜG,1,found".encode("latin-1"))
    assert "Save the file as UTF-8." in staff.post(URL, {"file": wrong, "operation": operation}).content.decode()
    assert "Choose a file." in staff.post(URL, {"operation": operation}).content.decode()


def test_who_may_not_adjust_may_not_import(db: None) -> None:
    user = get_user_model().objects.create_user("some@example.com", "secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_stockitem"))
    client = Client()
    client.force_login(user)

    assert client.get(URL).status_code == 403
    page = client.get(reverse("admin:inventory_stockitem_changelist"))
    assert page.status_code == 200
    assert URL not in page.content.decode()


def test_the_list_is_exported_with_formulas_defused(staff: Client) -> None:
    make_sku("=cmd", on_hand=2)
    url = reverse("admin:inventory_stockitem_changelist")

    answer = staff.post(url + "?counters=low", {"action": "export", "_selected_action": ["MUG", "=cmd"]})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.decode().splitlines() == [
        "sku_id,on_hand,reserved,available",
        "'=cmd,2,0,2",
        "MUG,5,0,5",
    ]
    assert [defused(cell) for cell in ("-1", -1, "@a", "a=b")] == ["'-1", -1, "'@a", "a=b"]


def test_low_stock_is_a_filter(staff: Client) -> None:
    make_sku("MANY", on_hand=6)

    found = staff.get(reverse("admin:inventory_stockitem_changelist") + "?counters=low").context["cl"].queryset

    assert sorted(item.sku_id for item in found) == ["LAMP", "MUG"]
