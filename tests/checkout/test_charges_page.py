"""Staff's report of charges, and what is flagged as unusual."""

from __future__ import annotations

from datetime import timedelta

import pgtrigger
import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from pricing.models import PriceDelta
from pricing.watching import count_unusual
from shop.accounts.models import User
from shop.checkout.admin import charges
from shop.core import clock
from tests.checkout.helpers import make_sku, set_price
from tests.checkout.test_charges import order

pytestmark = pytest.mark.django_db

DELTAS = "/admin/pricing/pricedelta/"


@pytest.fixture(autouse=True)
def _goods() -> None:
    make_sku("MUG", price=1_000)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "secret"))
    return client


def page_of(staff: Client, days: str = "7") -> str:
    return staff.get(reverse("admin:checkout_order_charges"), {"days": days}).content.decode()


def test_each_difference_stands_there_with_its_reason_and_leads_to_its_order(staff: Client) -> None:
    assert "0 orders: each charged as it was added" in page_of(staff)
    number = order("MUG", accepted=1_200)

    page = page_of(staff)

    assert "Lines: 1. Without an explanation: 0." in page
    assert "<td>£10.00</td><td>£12.00</td><td>£12.00</td><td>£12.00</td><td>price</td>" in page
    there = staff.get(reverse("admin:checkout_order_changelist"))
    assert reverse("admin:checkout_order_charges") in there.content.decode()
    row = staff.get(f"/admin/checkout/order/{number.replace('_', '_5F')}/change/").content.decode()
    assert f"{DELTAS}?q={number}" in row
    assert "1 price delta" in staff.get(DELTAS, {"q": number}).content.decode()


def test_what_nobody_can_explain_comes_first_and_is_counted(staff: Client) -> None:
    order("MUG", accepted=1_200)
    hidden = order("MUG", accepted=1_300)
    with pgtrigger.ignore("pricing.PriceDelta:price_delta_never_deleted"):
        PriceDelta.objects.filter(order_number=hidden).delete()

    page = page_of(staff)

    assert "Lines: 2. Without an explanation: 1." in page
    assert page.index(hidden) < page.index("<td>price</td>")
    assert "<strong>Nobody wrote down why.</strong>" in page


def test_only_what_can_be_gone_through_while_somebody_waits_is(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    order("MUG", accepted=1_200)
    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert "<td>price</td>" in page_of(staff, "7")
        assert "<td>price</td>" not in page_of(staff, "1")
    assert 'class="errorlist"' in page_of(staff, "31")

    monkeypatch.setattr(charges, "MOST_ORDERS", 0)

    assert "more than can be shown at once" in page_of(staff)
    assert "<td>price</td>" not in page_of(staff)


def test_who_may_not_see_orders_and_deltas_does_not_see_the_report(client: Client) -> None:
    user = User.objects.create_user("s@example.com", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(user)

    assert client.get(reverse("admin:checkout_order_charges")).status_code == 403
    assert reverse("admin:checkout_order_charges") not in client.get("/admin/checkout/order/").content.decode()


def delta(number: int, *, added: int = 1_000, charged: int, reasons: str = "price", owner: str = "") -> str:
    """Note a line that was charged otherwise than it was added; give its SKU."""
    PriceDelta.objects.create(
        owner=owner or f"g:{number}",
        cart_content_version=number,
        sku_id=f"SKU-{number}",
        order_number=f"ord_{number}",
        currency="GBP",
        quantity=1,
        added_minor=added,
        shown_minor=charged,
        charged_minor=charged,
        reasons=reasons.split(),
    )
    return f"SKU-{number}"


def flagged(staff: Client, kind: str) -> set[str]:
    page = staff.get(DELTAS, {"unusual": kind}).context["cl"]
    return {row.sku_id for row in page.result_list}


def test_unusual_changes_are_told_from_ordinary_ones_and_lead_staff_there(staff: Client) -> None:
    far = delta(1, charged=499)
    delta(2, charged=500)
    delta(3, charged=100, reasons="price code")
    delta(4, charged=100, reasons="promotion")
    double = delta(5, charged=2_001)
    delta(6, charged=2_000)
    often = {delta(10 + number, charged=900, owner="u:7") for number in range(5)}
    delta(20, charged=900, reasons="promotion", owner="u:7")
    for number in range(4):
        delta(30 + number, charged=900, owner="u:8")

    assert flagged(staff, "far_below") == {far}
    assert flagged(staff, "doubled") == {double}
    assert flagged(staff, "often") == often
    assert flagged(staff, "any") == {far, double, *often}
    assert count_unusual(now=clock.now()) == 7
    assert "7 lines with an unusual change of price" in staff.get("/admin/").content.decode()
    assert count_unusual(now=clock.now() + timedelta(days=2)) == 0


def test_nothing_unusual_needs_nobody(staff: Client) -> None:
    set_price("MUG", 1_200)
    order("MUG", accepted=1_300)

    assert "unusual change of price" not in staff.get("/admin/").content.decode()
