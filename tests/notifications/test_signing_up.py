"""A yes to reminders when an account is made."""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from notifications import links, services
from notifications.models import Preference, Suppression
from shop.accounts.models import User
from shop.core import clock

pytestmark = pytest.mark.django_db
PAGE = "account_signup"
TYPED = {"email": "ada@example.com", "password1": "analytical-engine-1843"}
API = "/api/v1/auth/app/v1/auth/signup"


@pytest.fixture
def opt_in(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, consent_policy="opt_in")


def wishes() -> list[tuple[int, str, bool, str]]:
    """List what was said."""
    return list(Preference.objects.values_list("user_id", "topic", "is_granted", "source"))


@pytest.mark.usefixtures("opt_in")
def test_a_yes_is_kept_with_where_it_was_said_and_the_box_is_not_ticked_beforehand() -> None:
    page = Client().get(reverse(PAGE)).content.decode()
    assert 'name="reminders"' in page
    assert "checked" not in page
    assert page.index('name="password1"') < page.index('name="reminders"')
    assert Client().post(reverse(PAGE), {**TYPED, "reminders": "on"}).status_code == 302
    assert wishes() == [(User.objects.get().pk, "cart_reminder", True, "sign-up")]


@pytest.mark.usefixtures("opt_in")
def test_no_tick_is_no_statement() -> None:
    assert Client().post(reverse(PAGE), TYPED).status_code == 302
    assert User.objects.count() == 1
    assert wishes() == []


@pytest.mark.usefixtures("opt_in")
def test_an_app_says_it_beside_the_password() -> None:
    body = {"email": "ada@example.com", "password": TYPED["password1"], "reminders": True}
    answer = Client().post(API, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert wishes() == [(User.objects.get().pk, "cart_reminder", True, "sign-up")]


def test_where_silence_is_enough_nobody_is_asked(settings: Settings) -> None:
    assert 'name="reminders"' not in Client().get(reverse(PAGE)).content.decode()
    Client().post(reverse(PAGE), {**TYPED, "reminders": "on"})
    assert wishes() == []
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, country_policy="DE:opt_in")
    assert 'name="reminders"' in Client().get(reverse(PAGE)).content.decode(), "some customers must say yes"


@pytest.mark.usefixtures("opt_in")
def test_who_types_an_address_does_not_bring_back_what_its_owner_ended() -> None:
    services.suppress(
        email_hash=links.address_hashes("ada@example.com")[0],
        scope=services.scope_of(None),
        reason="unsubscribed",
        source="link:x",
        now=clock.now(),
    )
    Client().post(reverse(PAGE), {**TYPED, "reminders": "on"})
    assert len(wishes()) == 1
    assert Suppression.objects.count() == 1
