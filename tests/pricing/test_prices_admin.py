"""Staff's form of a price: what stands in its way, and which other prices it meets, by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from pricing.models import Price
from tests.cart.helpers import make_sku

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    make_sku("MUG", price=1_200)  # from 2025, without an end
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "sku_id": "MUG",
        "currency": "GBP",
        "unit_price_minor": "990",
        "valid_from_0": "2026-03-03",
        "valid_from_1": "00:00",
        **changed,
    }


def add(staff: Client, **changed: Any) -> Any:
    return staff.post(reverse("admin:pricing_price_add"), fields(**changed), follow=True)


def told(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"] if message.level_tag == "info"]


def test_a_price_from_the_same_moment_as_another_is_refused_at_the_field_which_names_it(staff: Client) -> None:
    answer = add(staff, valid_from_0="2025-01-01")

    (said,) = answer.context["adminform"].form.errors["valid_from"]
    assert "£12.00 from 01/01/2025" in said
    assert Price.objects.count() == 1


def test_a_sale_within_a_list_price_is_saved_and_told_that_it_goes_first(staff: Client) -> None:
    answer = add(staff, valid_until_0="2026-03-10", valid_until_1="00:00")

    (said,) = told(answer)
    assert said.startswith("While both are valid this price goes before £12.00 from 01/01/2025")


def test_of_all_prices_before_the_one_it_follows_is_named(staff: Client) -> None:
    for month in ("02", "03", "04"):
        add(staff, unit_price_minor=f"9{month}", valid_from_0=f"2025-{month}-01")
    answer = add(staff)

    (said,) = told(answer)
    assert said.startswith("While both are valid this price goes before £9.04 from 01/04/2025")


def test_a_price_that_another_goes_before_is_told_so_and_one_that_meets_none_nothing(staff: Client) -> None:
    Price.objects.update(valid_from=datetime(2026, 3, 1, tzinfo=UTC))

    before = add(staff, valid_from_0="2026-02-01")
    apart = add(staff, valid_from_0="2025-02-01", valid_until_0="2025-03-01", valid_until_1="00:00")
    elsewhere = add(staff, segment="trade")

    (said,) = told(before)
    assert "£12.00 from 01/03/2026" in said
    assert said.endswith("goes before this price, because it begins later.")
    assert (told(apart), told(elsewhere)) == ([], [])


def test_the_page_of_a_price_says_who_changed_it_and_from_what_to_what(staff: Client) -> None:
    url = reverse("admin:pricing_price_change", args=[Price.objects.get().pk])
    opened = staff.get(url).context["adminform"].form["opened_with"].value()
    begins = {"valid_from_0": "2025-01-01", "valid_from_1": "00:00"}

    assert staff.post(url, fields(opened_with=opened, unit_price_minor="990", **begins)).status_code == 302

    page = staff.get(url).content.decode()
    assert "staff@example.com · unit_price_minor: 1200 → 990" in page


@pytest.mark.parametrize("year", ["0001", "1969", "3000", "9999"])
def test_a_year_that_nobody_means_is_refused_at_its_field(staff: Client, year: str) -> None:
    answer = add(staff, valid_until_0=f"{year}-12-31", valid_until_1="23:59")

    assert "Choose a year from 1970 to 2999." in answer.context["adminform"].form.errors["valid_until"]
    assert Price.objects.count() == 1
