"""Orders are given to events and mails as they come, by several models side by side."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cart import services as carts
from cart.types import CartRef
from notifications import links, reporting, services
from notifications.models import Abandonment, Attribution, Campaign, Message, Touch
from notifications.services import attributing
from notifications.types import TouchKind
from shop.accounts.models import User
from shop.checkout import services as checkout
from shop.checkout.models import Order
from shop.core import clock
from shop.core.db import array_text
from tests.checkout.helpers import fill, make_sku, new_guest, pay, ready, start
from tests.checkout.test_admin import staff
from tests.notifications.carts import leave_cart, link, make_customer, run, the_message
from tests.notifications.test_codes import code_of_mail, with_code

pytestmark = pytest.mark.django_db


@pytest.fixture
def reminded() -> User:
    """Give a customer who got a reminder with a code."""
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    with_code()
    assert run() == 1
    return user


def order(user: User) -> str:
    """Let a customer order what is in the cart; give the number."""
    ref = CartRef("u", str(user.pk))
    return pay(fill(start(ref), ref), ref).order_number


def follow() -> int:
    """Do what the task does."""
    return services.attribute_orders(now=clock.now())


def by_model() -> dict[str, str]:
    """Tell which order each model gave to a mail."""
    return dict(Attribution.objects.values_list("model", "order_number"))


def test_click_restore_and_code_each_give_the_order_to_the_mail_once(reminded: User) -> None:
    client = Client()
    client.force_login(reminded, backend="django.contrib.auth.backends.ModelBackend")
    client.get(link("c/r"))
    client.post(reverse("notifications:restore"))
    carts.apply_code(ref=CartRef("u", str(reminded.pk)), code=code_of_mail(), now=clock.now())
    number = order(reminded)
    assert (follow(), follow()) == (1, 0)
    assert by_model() == {"click": number, "restore": number, "code": number}
    found = reporting.report(campaign=Campaign.objects.get(), now=clock.now())
    assert [(row.model, row.orders) for row in found.attributed] == [
        ("last click", 1),
        ("last restore", 1),
        ("its code", 1),
    ]
    assert found.attributed[0].revenues[0].minor == Order.objects.get().total_minor


def test_staff_see_on_the_message_what_it_showed_and_what_came_of_it(reminded: User) -> None:
    client, member = Client(), staff("view_order")
    client.force_login(reminded, backend="django.contrib.auth.backends.ModelBackend")
    page = reverse("admin:notifications_message_change", args=[the_message().pk])
    assert "its link was followed" not in member.get(page).content.decode()
    client.get(link("c/r"))
    client.post(reverse("notifications:restore"))
    carts.apply_code(ref=CartRef("u", str(reminded.pk)), code=code_of_mail(), now=clock.now())
    number = order(reminded)
    follow()
    services.void_grants(now=clock.now())
    shown = member.get(page).content.decode()
    in_order = ["its link was followed", "the cart was restored", "an order is given to it: last click"]
    places = [shown.index(text) for text in in_order]
    assert places == sorted(places)
    assert shown.count(number) == 3, "by click, by restore, by code"
    assert "2 × MUG: £12.00" in shown
    assert "with a discount code until" in shown
    assert ", void since" in shown
    assert code_of_mail() not in shown


def test_what_is_refunded_is_taken_off_the_sums_and_shown_beside_them(reminded: User) -> None:
    client = Client()
    client.force_login(reminded, backend="django.contrib.auth.backends.ModelBackend")
    client.get(link("c/r"))
    order(reminded)
    follow()
    placed, campaign = Order.objects.get(), Campaign.objects.get()
    assert services.attribute_refunds(now=clock.now()) == 0
    later = clock.now() + campaign.outcome_window
    assert sums(campaign, later) == (placed.total_minor, placed.total_minor, [])

    with transaction.atomic():
        checkout.ask_refund(payment_id=placed.payment_id, reason="Broken", by=1, now=clock.now())
    assert [services.attribute_refunds(now=clock.now()) for _ in range(2)] == [1, 0]

    assert sums(campaign, later) == (0, 0, [placed.total_minor])
    found = reporting.report(campaign=campaign, now=later)
    assert (found.arms[1].ordered, found.attributed[0].orders) == (1, 1)  # it was ordered all the same


def sums(campaign: Campaign, now: datetime) -> tuple[int, int, list[int]]:
    """Tell what the report says of money: of the mailed, by last click, and refunded."""
    found = reporting.report(campaign=campaign, now=now)
    click = found.attributed[0]
    return found.arms[1].revenues[0].minor, click.revenues[0].minor, [money.minor for money in click.refunded]


@pytest.mark.parametrize(("days", "given"), [(1, {}), (3, {"click"})])
def test_a_click_counts_for_as_many_days_as_its_campaign_says(reminded: User, days: int, given: set[str]) -> None:
    Campaign.objects.update(click_window=timedelta(days=days))
    client = Client()
    client.force_login(reminded, backend="django.contrib.auth.backends.ModelBackend")
    client.get(link("c/r"))
    Touch.objects.update(at=clock.now() - timedelta(days=2))
    order(reminded)
    follow()
    assert set(by_model()) == set(given)


def test_a_link_that_a_program_followed_gets_no_order(reminded: User) -> None:
    Client(headers={"User-Agent": "ExampleBot/1.0"}).get(link("c/r"))
    order(reminded)
    assert follow() == 1
    assert by_model() == {}


def test_an_order_without_a_visit_is_given_to_no_mail_though_its_arm_has_it(reminded: User) -> None:
    order(reminded)
    assert follow() == 1
    assert by_model() == {}


def test_a_guest_who_restored_the_cart_elsewhere_is_known_by_the_browser(reminded: User) -> None:
    guest = Client()
    guest.get(link("c/r"))
    guest.post(reverse("notifications:restore"))
    visitor = Touch.objects.get(kind=TouchKind.RESTORE.value).visitor
    ref, view = ready(new_guest())
    pay(view, ref)
    assert follow() == 0
    assert by_model() == {}, "another guest"

    Touch.objects.filter(visitor=visitor).update(visitor=links.visitor_hash(ref.owner))
    follow()
    assert set(by_model()) == {"restore"}, "the click came before there was a cart"


def test_a_visit_counts_for_five_days(reminded: User) -> None:
    Client().get(link("c/r"))
    Touch.objects.update(at=clock.now() - timedelta(days=5, seconds=1))
    order(reminded)
    follow()
    assert by_model() == {}
    Touch.objects.update(at=clock.now() - timedelta(days=5) + timedelta(minutes=5))
    follow()
    assert set(by_model()) == {"click"}


def test_the_last_mail_that_was_visited_gets_the_order(reminded: User) -> None:
    first = Message.objects.get(kind="recovery")
    event = Abandonment.objects.get()
    second = Message.objects.create(
        kind="recovery",
        template_key="cart_reminder",
        public_id="msg_2",
        abandonment=event,
        step=first.step,
        step_no=2,
        due_at=clock.now(),
        late_after=clock.now(),
        created_at=clock.now(),
    )
    for message, minutes in ((second, 1), (first, 2)):
        at = clock.now() - timedelta(minutes=minutes)
        Touch.objects.create(message=message, kind="click", visitor=f"{minutes}", at=at)
    order(reminded)
    follow()
    assert Attribution.objects.get().message_id == second.pk


def test_of_two_orders_within_the_window_the_first_one_counts(reminded: User) -> None:
    first = order(reminded)
    ref = CartRef("u", str(reminded.pk))
    ready(ref)
    order(reminded)
    assert follow() == 1
    assert Abandonment.objects.get().order_number == first


def test_an_event_that_became_visible_after_its_order_was_followed_gets_it_with_the_next_run(reminded: User) -> None:
    Abandonment.objects.update(user_id=None, cooldown_range=None)
    order(reminded)
    assert follow() == 0
    Abandonment.objects.update(user_id=reminded.pk)
    assert follow() == 1


def test_it_costs_what_new_orders_cost_and_nothing_for_events(reminded: User) -> None:
    order(reminded)
    follow()
    with CaptureQueriesContext(connection) as few:
        follow()
    campaign = Campaign.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_abandonment (cart_record_id, content_version, user_id, campaign_id, variant_id,"
            " is_holdout, state, close_reason, abandoned_at, enrolled_at, currency, value_minor, order_number,"
            " order_minor) SELECT -n, n, 1000000 + n, %s, 1, false, 'open', '', now(), now(), 'GBP', 1, '', 0"
            " FROM generate_series(1, 20000) AS n",
            [campaign.pk],
        )
        cursor.execute("ANALYZE notifications_abandonment")
    with CaptureQueriesContext(connection) as many:
        follow()
    assert len(many) == len(few)
    about: dict[str, Any] = {"numbers": array_text(["1"]), "user_ids": "{7}", "visitors": array_text(["v"])}
    about |= {
        "times": array_text([clock.now()]),
        "totals": "{1}",
        "codes": "{0}",
        "currencies": array_text(["GBP"]),
        "draft": "draft",
    }
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {attributing._WRITE}", about)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "event_of_customer" in plan
    assert "Seq Scan on notifications_abandonment" not in plan
