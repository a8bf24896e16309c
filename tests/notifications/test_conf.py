"""What a shop may set of its reminders, and what obeys it."""

from __future__ import annotations

import dataclasses
from datetime import time, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from notifications.conf import NotificationsConf
from notifications.models import Campaign
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_mail, the_message


@pytest.mark.django_db
def test_a_new_campaign_begins_as_the_shop_says_and_those_that_exist_stay(settings: Settings) -> None:
    before = Campaign.objects.create(slug="before", name="Before")
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS,
        idle_threshold_seconds=7_200,
        max_age_hours=100,
        max_lateness_hours=3,
        cooldown_days=30,
        outcome_days=14,
        click_days=3,
        holdout_bp=2_000,
        quiet_start="20:30",
        quiet_end="09:15",
    )
    names = ("idle_threshold", "max_age", "max_lateness", "cooldown", "outcome_window", "click_window")
    after = Campaign.objects.create(slug="after", name="After")
    hours = {name: getattr(after, name) / timedelta(hours=1) for name in names}
    assert list(hours.values()) == [2, 100, 3, 30 * 24, 14 * 24, 3 * 24]
    assert (after.holdout_bp, after.quiet_start, after.quiet_end) == (2_000, time(20, 30), time(9, 15))
    before.refresh_from_db()
    assert [getattr(before, name) / timedelta(hours=1) for name in names] == [1, 72, 6, 7 * 24, 7 * 24, 5 * 24]
    assert (before.holdout_bp, before.quiet_start, before.quiet_end) == (1_000, time(21), time(8))


@pytest.mark.django_db
def test_mails_name_their_list_and_their_domain_as_the_shop_says(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, list_id="shop.example", message_id_domain="mail.shop.example"
    )
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    run()
    headers = the_mail().message()
    assert headers["List-Id"] == "Cart reminders <cart-reminders.shop.example>"
    assert headers["Message-ID"] == f"<{the_message().public_id}@mail.shop.example>"


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("max_age_hours", (4, 721), (5, 720)),
        ("max_lateness_hours", (0, 169), (1, 168)),
        ("cooldown_days", (0, 366), (1, 365)),
        ("outcome_days", (0, 91), (1, 90)),
        ("holdout_bp", (-1, 5_001), (0, 5_000)),
        ("quiet_start", ("24:00", "9:00", "21", "21:00:00", "٢١:٠٠", ""), ("00:00", "23:59")),
        ("quiet_end", ("24:00", "08:60"), ("08:00",)),
        ("message_id_domain", ("a@b.example", "a>b.example", "example"), ("", "mail.example.com")),
        ("list_id", ("Cart <x.example>", "x"), ("", "shop.example.com")),
    ],
)
def test_what_cannot_be_stops_the_start(name: str, wrong: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    for value in wrong:
        with pytest.raises(ImproperlyConfigured, match=f"NOTIFICATIONS_{name.upper()}: must be"):
            NotificationsConf(**{name: value})
    for value in right:
        assert getattr(NotificationsConf(**{name: value}), name) == value
