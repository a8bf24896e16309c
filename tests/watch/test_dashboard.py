"""Staff's first page: its figures, what it says needs somebody, and who sees what of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cart import recorder
from cart.models import DeadLetter
from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.models import Reservation
from shop.checkout.models import Checkout, Payment
from shop.core import clock
from shop.watch import figures, tasks
from shop.watch.models import Alert, Roundup
from tests.checkout.helpers import make_sku, new_guest, pay, put, ready, start
from tests.inventory.helpers import demands

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def member(*permissions: str) -> Client:
    user = get_user_model().objects.create_user("some@example.com", "secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def a_busy_day() -> None:
    """One order, one checkout left alone, one buyer refused."""
    make_sku("MUG", on_hand=3)
    buyer, view = ready()
    pay(view, buyer)
    other = new_guest()
    put(other, "MUG", 2)
    start(other)
    with pytest.raises(InsufficientStockError):
        inventory.reserve(demands=demands(MUG=9), owner="chk_greedy")
    recorder.drain()


def test_what_was_counted_is_what_is_read() -> None:
    a_busy_day()
    now = clock.now()
    counted = figures.count(now=now)
    assert figures.read() == (counted, now)
    assert counted.funnel == {"cart": 2, "checkout": 2, "payment": 1, "paid": 1, "expired": 0, "cancelled": 0}
    assert (counted.today.checkouts, counted.today.orders, counted.today.reserved_and_paid) == (2, 1, 0.5)
    assert counted.week_ago == figures.Day(0, 0, 0, None)
    assert counted.contended == (("MUG", 1, 2),)


def test_last_weeks_hours_are_compared_and_not_its_whole_day() -> None:
    a_busy_day()
    now = clock.now()
    Checkout.objects.update(created_at=now - timedelta(days=7, minutes=1))
    assert figures.count(now=now).week_ago.checkouts == (2 if now.hour or now.minute else 0)
    Checkout.objects.update(created_at=now - timedelta(days=6, hours=23, minutes=59))
    assert figures.count(now=now).week_ago.checkouts == 0


def test_counting_twice_keeps_one_row_and_campaigns_for_ten_minutes() -> None:
    tasks.count_figures()
    now = clock.now()
    first = figures.count(now=now)
    assert figures.count(now=now + timedelta(minutes=9)).campaigns_at == first.campaigns_at
    assert figures.count(now=now + timedelta(minutes=30)).campaigns_at == now + timedelta(minutes=30)
    assert Roundup.objects.count() == 1


def test_figures_of_another_version_are_none() -> None:
    Roundup.objects.create(figures={"today": 7}, counted_at=clock.now())
    assert figures.read() is None


def test_before_the_first_count_it_says_so(staff: Client) -> None:
    text = page(staff)
    assert "No figures yet" in text
    assert "Nothing waits for you." in text


def test_it_shows_the_day_and_links_to_the_lists_behind(staff: Client) -> None:
    a_busy_day()
    tasks.count_figures()
    text = page(staff)
    assert "<h1>Today</h1>" in text
    assert "/admin/checkout/order/?placed_at__year=" in text
    assert '<a href="/admin/availability/MUG/">MUG</a>' in text
    assert "Figures as of" in text


def test_mail_addresses_stand_with_the_people_whose_they_are(staff: Client) -> None:
    shown = staff.get("/admin/").context["app_list"]

    people = [{model["object_name"] for model in app["models"]} for app in shown if "account" in app["app_label"]]
    assert people == [{"Customer", "StaffMember", "EmailAddress"}]


def test_each_concern_says_what_to_do_and_leads_to_its_list(staff: Client) -> None:
    make_sku("MUG", on_hand=3)
    buyer, view = ready()
    pay(view, buyer)
    other = new_guest()
    put(other, "MUG", 1)
    start(other)
    Payment.objects.update(state="review")
    Reservation.objects.filter(state="soft").update(renewals=4)
    now = clock.now()
    Alert.objects.create(section="stock", subject="MUG", detail="x", first_seen_at=now, last_seen_at=now)
    DeadLetter.objects.create(partition=0, entry_id="1-0", fields="{}", error="bad", deliveries=5)

    text = page(staff)

    for url in (
        "/admin/checkout/payment/?attention=review",
        "/admin/inventory/reservation/?attention=renewed",
        "/admin/watch/alert/?state=open&amp;section=stock",
        "/admin/cart/deadletter/",
    ):
        assert f'<a href="{url}">' in text
        assert staff.get(url.replace("&amp;", "&")).status_code == 200
    assert "1 payment to review" in text
    assert "Open the SKU&#x27;s availability and repair." in text


def test_nobody_sees_a_block_whose_list_is_closed_to_them() -> None:
    a_busy_day()
    tasks.count_figures()
    Payment.objects.update(state="review")
    text = page(member("view_stockitem"))
    assert "Contended SKUs" in text
    for other in ("The last 24 hours", "Price changes met", "payment to review", "recorder of carts", "a week ago"):
        assert other not in text


def test_opening_it_costs_the_same_on_a_busy_day(staff: Client) -> None:
    tasks.count_figures()
    page(staff)
    with CaptureQueriesContext(connection) as calm:
        page(staff)
    a_busy_day()
    tasks.count_figures()
    with CaptureQueriesContext(connection) as busy:
        page(staff)
    assert len(busy) == len(calm) <= 15
