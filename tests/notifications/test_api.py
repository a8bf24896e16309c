"""Preferences for programs."""

from __future__ import annotations

import pytest
from django.test import Client

from notifications import selectors, services
from notifications.models import Preference
from shop.core import clock
from tests.notifications.carts import make_customer

pytestmark = pytest.mark.django_db
PATH = "/api/v1/me/preferences"


def test_a_customer_reads_and_changes_what_they_want_to_be_told() -> None:
    user, client = make_customer(), Client()
    client.force_login(user)
    assert client.get(PATH).json() == {"cart_reminder": True}

    answer = client.patch(PATH, {"cart_reminder": False}, content_type="application/json")

    assert (answer.status_code, answer.json()) == (200, {"cart_reminder": False})
    assert answer["Cache-Control"] == "no-store"
    assert not selectors.wants_reminders(user_id=user.pk, email=user.email)
    assert Preference.objects.get().source == "api"
    services.set_preference(user_id=user.pk, email=user.email, is_granted=True, source="test", now=clock.now())
    assert client.get(PATH).json() == {"cart_reminder": True}


def test_who_is_not_signed_in_has_no_preferences() -> None:
    for answer in (Client().get(PATH), Client().patch(PATH, {"cart_reminder": True}, content_type="application/json")):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert not Preference.objects.exists()


@pytest.mark.parametrize("body", ['{"cart_reminder": "yes"}', "{}", '{"news": true}'])
def test_another_shape_changes_nothing(body: str) -> None:
    client = Client()
    client.force_login(make_customer())
    assert client.patch(PATH, body, content_type="application/json").status_code in (400, 422)
    assert not Preference.objects.exists()
