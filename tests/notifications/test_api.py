"""Preferences for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from notifications import selectors, services
from notifications.models import Preference
from shop.accounts.models import User
from shop.core import clock
from tests.notifications.carts import make_customer

pytestmark = pytest.mark.django_db
PATH = "/api/v1/me/preferences"
BEGINS = {
    "cart_reminder": True,
    "price_drop": False,
    "back_in_stock": False,
    "language": None,
    "time_zone": None,
}


@pytest.fixture
def user() -> User:
    """Make a customer."""
    return make_customer()


@pytest.fixture
def client(user: User) -> Client:
    """Sign the customer in."""
    client = Client()
    client.force_login(user)
    return client


def patch(client: Client, body: object) -> tuple[int, Any]:
    """Change preferences; give status and answer."""
    answer = client.patch(PATH, body, content_type="application/json")
    return answer.status_code, answer.json()


def test_a_customer_reads_and_changes_what_they_want_to_be_told(user: User, client: Client) -> None:
    assert client.get(PATH).json() == BEGINS

    answer = client.patch(PATH, {"cart_reminder": False}, content_type="application/json")

    assert (answer.status_code, answer.json()) == (200, {**BEGINS, "cart_reminder": False})
    assert answer["Cache-Control"] == "no-store"
    assert not selectors.wants_reminders(user_id=user.pk, email=user.email)
    assert Preference.objects.get().source == "api"
    services.set_preference(user_id=user.pk, email=user.email, is_granted=True, source="test", now=clock.now())
    assert client.get(PATH).json() == BEGINS


def test_each_is_changed_alone_and_what_is_said_again_is_no_new_statement(user: User, client: Client) -> None:
    for _ in range(2):
        assert patch(client, {"price_drop": True}) == (200, {**BEGINS, "price_drop": True})
    assert patch(client, {"back_in_stock": True, "price_drop": False}) == (200, {**BEGINS, "back_in_stock": True})
    said = list(Preference.objects.order_by("id").values_list("topic", "is_granted"))
    assert sorted(said) == [("back_in_stock", True), ("price_drop", False), ("price_drop", True)]


def test_opens_are_shown_and_set_only_where_the_shop_counts_them(
    user: User, client: Client, settings: Settings
) -> None:
    status, problem = patch(client, {"open_tracking": True, "cart_reminder": False})
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (400, "unknown_parameter", "/open_tracking")
    assert not Preference.objects.exists()

    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, count_opens=True)
    assert client.get(PATH).json() == {**BEGINS, "open_tracking": False}
    assert patch(client, {"open_tracking": True}) == (200, {**BEGINS, "open_tracking": True})
    assert selectors.allows_opens(user_id=user.pk)
    assert patch(client, {"open_tracking": False}) == (200, {**BEGINS, "open_tracking": False})


def test_language_and_time_zone_are_those_of_mails(user: User, client: Client, settings: Settings) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
    chosen = {"language": "de", "time_zone": "Asia/Kolkata"}
    assert patch(client, chosen) == (200, {**BEGINS, **chosen})
    user.refresh_from_db()
    assert (user.language, user.time_zone) == ("de", "Asia/Kolkata")
    assert patch(client, {"language": None}) == (200, {**BEGINS, "time_zone": "Asia/Kolkata"})
    assert not Preference.objects.exists()


def test_who_is_not_signed_in_has_no_preferences() -> None:
    for answer in (Client().get(PATH), Client().patch(PATH, {"cart_reminder": True}, content_type="application/json")):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"cart_reminder": "yes"}', "not_a_boolean"),
        ("{}", "nothing_to_change"),
        ('{"news": true}', "unknown_parameter"),
        ('{"cart_reminder": false, "language": "xx"}', "out_of_choice"),
        ('{"cart_reminder": false, "time_zone": "Mars/Olympus"}', "not_a_time_zone"),
        ('{"cart_reminder": false, "time_zone": "../../etc/passwd"}', "not_a_time_zone"),
        ('{"cart_reminder": false, "time_zone": 1}', "not_a_string"),
    ],
)
def test_another_shape_changes_nothing(user: User, client: Client, body: str, code: str) -> None:
    status, problem = patch(client, body)
    assert (status, problem["errors"][0]["code"]) == (400 if code == "unknown_parameter" else 422, code)
    user.refresh_from_db()
    assert (user.language, user.time_zone) == ("", "")
    assert not Preference.objects.exists()
