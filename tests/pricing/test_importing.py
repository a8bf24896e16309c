"""Prices from a file: every mistake told with its row, a preview first, then all rows or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from pricing import selectors
from pricing.importing import Problem, Sheet, read_prices
from pricing.models import Price
from pricing.types import NewPrice
from shop.core import clock
from tests.cart.helpers import make_sku

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = frozenset({"MUG", "CUP"})


def read(text: str) -> Sheet:
    return read_prices(text, currency="GBP", now=NOW, find_known=lambda sku_ids: KNOWN & set(sku_ids))


def test_a_file_is_read_with_its_rows() -> None:
    sheet = read(
        "\ufeffSKU_id,price,currency,segment,valid_from,valid_until\n"
        "MUG,14.00,,,,\n"
        "CUP,9.5,EUR,trade,2026-04-01T09:00+02:00,2026-05-01T00:00Z\n"
        "CUP,300,JPY,,2026-04-01T00:00Z,\n"
    )

    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert sheet.problems == ()
    assert sheet.prices == (
        (2, NewPrice("MUG", 1_400, "GBP", "", NOW)),
        (3, NewPrice("CUP", 950, "EUR", "trade", april + timedelta(hours=7), datetime(2026, 5, 1, tzinfo=UTC))),
        (4, NewPrice("CUP", 300, "JPY", "", april)),
    )


@pytest.mark.parametrize(
    ("row", "code", "value"),
    [
        ("NONE,14.00,,,,", "sku_unknown", "NONE"),
        ("MUG,,,,,", "price", ""),
        ("MUG,0,,,,", "price", "0"),
        ("MUG,-1,,,,", "price", "-1"),
        ("MUG,1e3,,,,", "price", "1e3"),
        ("MUG,14.001,,,,", "price", "14.001"),
        ("MUG,1000000.01,,,,", "price", "1000000.01"),
        ('MUG,"14,00",,,,', "price", "14,00"),
        ("MUG,١٤,,,,", "price", "١٤"),
        ("MUG,14.5,JPY,,,", "price", "14.5"),
        ("MUG,14.00,ABC,,,", "currency", "ABC"),
        *(
            (f"MUG,14.00,,,{moment},", "moment", moment)
            for moment in (
                *("yesterday", "2026-04-01", "2026-04-01T09:00", "2026-06-30T23:59:60Z", "0000-01-01T00:00Z"),
                *("9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00"),
            )
        ),
        ("MUG,14.00,,,2026-04-01T00:00Z,2026-04-01T00:00Z", "ends", ""),
        ("MUG,14.00,,,,2026-03-01T12:00Z", "ends", ""),
        ("MUG,14.00,,,,,,more", "cells", ""),
        (f"MUG,14.00,,{'x' * 41},,", "segment", "x" * 40),
    ],
)
def test_each_mistake_is_told_with_its_row(row: str, code: str, value: str) -> None:
    sheet = read(f"sku_id,price,currency,segment,valid_from,valid_until\nCUP,1.00,,,,\n{row}\n")

    assert sheet.problems == (Problem(3, code, value),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", Problem(1, "columns")),
        ("sku_id\nMUG\n", Problem(1, "columns")),
        ("sku_id,price,colour\nMUG,1,red\n", Problem(1, "columns")),
        ("sku_id,price,price\nMUG,1,2\n", Problem(1, "columns")),
        ("sku_id,price\n", Problem(0, "rows", "1000")),
        ("sku_id,price\n" + "MUG,1\n" * 1_001, Problem(0, "rows", "1000")),
        ("sku_id,price\nMUG,1\nMUG,2\n", Problem(3, "twice", "MUG")),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(text: str, problem: Problem) -> None:
    assert read(text).problems == (problem,)


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    make_sku("MUG", price=1_000)
    make_sku("CUP", price=300)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def send(staff: Client, text: str) -> str:
    file = SimpleUploadedFile("prices.csv", text.encode(), "text/csv")
    return staff.post(reverse("admin:pricing_price_import"), {"file": file, "do": "show"}).content.decode()


@pytest.mark.django_db
def test_staff_see_what_a_file_does_before_it_does_it(staff: Client) -> None:
    text = "sku_id,price\nMUG,12.50\nCUP,3.50\n"
    before = Price.objects.count()

    shown = send(staff, text)
    assert "£10.00" in shown
    assert "£12.50" in shown
    assert Price.objects.count() == before

    done = staff.post(reverse("admin:pricing_price_import"), {"text": text, "do": "set"}, follow=True)
    assert done.redirect_chain == [(reverse("admin:pricing_price_changelist"), 302)]  # a reload sets nothing again
    assert b"2 prices set." in done.content
    prices = selectors.current_prices(sku_ids=["MUG", "CUP"], currency="GBP", now=clock.now())
    assert {sku_id: price.minor for sku_id, price in prices.items()} == {"MUG": 1_250, "CUP": 350}
    assert LogEntry.objects.filter(change_message__startswith="Imported: ").count() == 2


@pytest.mark.django_db
def test_what_a_row_replaces_or_meets_is_shown_and_history_keeps_what_was_there(staff: Client) -> None:
    sale, begins = "MUG,8.00,,,2026-03-03T00:00Z,2026-03-10T00:00Z", Price.objects.get(sku_id="CUP").valid_from
    text = f"sku_id,price,currency,segment,valid_from,valid_until\n{sale}\nCUP,3.50,,,{begins.isoformat()},\n"

    shown = send(staff, text)
    assert "this price goes before £10.00 from" in shown
    assert "Replaces £3.00 from" in shown

    staff.post(reverse("admin:pricing_price_import"), {"text": text, "do": "set"})
    said = set(LogEntry.objects.values_list("change_message", flat=True))
    assert "Imported: unit_price_minor: 300 → 350; valid_until: None → None" in said
    assert "Imported: 800 GBP from 2026-03-03T00:00:00+00:00" in said


@pytest.mark.django_db
def test_one_wrong_row_keeps_all_of_them_out(staff: Client) -> None:
    text = "sku_id,price\nMUG,12.50\nNONE,3.50\n"
    before = Price.objects.count()

    assert "Row 3:" in send(staff, text)
    answer = staff.post(reverse("admin:pricing_price_import"), {"text": text, "do": "set"})

    assert answer.status_code == 422
    assert Price.objects.count() == before


@pytest.mark.django_db
def test_staff_without_permission_import_nothing(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("s@example.com", "secret", is_staff=True))

    assert client.get(reverse("admin:pricing_price_import")).status_code == 403
