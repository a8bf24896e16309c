"""Opens of mails: only where the shop asks for it and the reader has agreed, and marked where a program did it."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from notifications import reporting, rules, selectors, services
from notifications.models import Campaign, Preference, Touch
from shop.accounts.models import User
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.checkout.test_admin import staff
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run, the_mail, the_message
from tests.notifications.test_campaign_admin import url

PREFERENCES = reverse("notifications:preferences")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.3.0"


@pytest.fixture
def ada(settings: Settings, db: None) -> User:
    """Let a shop count opens, and a customer have agreed."""
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, count_opens=True)
    make_sku()
    user = make_customer("ada@example.com")
    services.allow_opens(user_id=user.pk, is_granted=True, source="test", now=clock.now())
    return user


def pixel() -> str:
    """Give the path of the picture in the last mail, empty if there is none."""
    found = re.search(r'src="http://testserver(/e/o/[^"]+)"', str(the_mail().alternatives[0][0]))
    return found.group(1) if found else ""


def fetch(path: str, agent: str = BROWSER) -> None:
    """Fetch the picture."""
    answer = Client(headers={"User-Agent": agent}).get(path)
    assert (answer.status_code, answer["Content-Type"], len(answer.content)) == (200, "image/gif", 43)
    assert answer["Cache-Control"] == "no-store"


def mailed(user: User, *, seconds_ago: float = 3_600) -> str:
    """Let a reminder have gone so long ago; give its picture."""
    leave_cart(user, hours=4)
    make_campaign()
    assert run(-seconds_ago) == 1
    return pixel()


def kinds() -> list[str]:
    """List what was noted."""
    return sorted(Touch.objects.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (BROWSER, False),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)", False),
        ("Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0", False),
        ("Mozilla/5.0", True),
        ("", True),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", True),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", True),
        ("Mozilla/5.0 (compatible; Examplebot/2.1)", True),
    ],
)
def test_programs_are_known_by_what_they_call_themselves(agent: str, *, expected: bool) -> None:
    assert rules.is_machine(agent) is expected


def test_an_open_by_a_person_is_noted_once_and_one_by_a_program_as_such(ada: User) -> None:
    path = mailed(ada)
    assert (the_message().shown or {})["counts_opens"] is True
    for _ in range(2):
        fetch(path)
        fetch(path, "Mozilla/5.0")
    assert kinds() == ["open", "open_bot"]
    arm = reporting.report(campaign=Campaign.objects.get(), now=clock.now()).arms[1]
    assert (arm.asked, arm.opened, arm.machine_opened, arm.clicked) == (1, 1, 1, 0)
    page = staff("run_campaign").get(url("report", Campaign.objects.get().pk)).content.decode()
    assert "1 / 1 (by programs: 1)" in page


def test_nobody_reads_within_seconds(ada: User) -> None:
    fetch(mailed(ada, seconds_ago=0))
    assert kinds() == ["open_bot"]


def test_an_open_from_where_a_hidden_link_was_followed_is_a_programs(ada: User) -> None:
    path = mailed(ada)
    hidden = re.search(r'href="http://testserver(/e/h/[^"]+)"', str(the_mail().alternatives[0][0]))
    assert hidden is not None
    fetch(path)
    assert kinds() == ["open"]
    Client().get(hidden[1])
    assert kinds() == ["open_bot", "trap"]


def test_who_said_nothing_or_no_gets_no_picture(ada: User) -> None:
    services.allow_opens(user_id=ada.pk, is_granted=False, source="test", now=clock.now() + timedelta(seconds=1))
    assert mailed(ada) == ""
    leave_cart(make_customer())
    assert run() == 1
    assert pixel() == ""


def test_a_shop_that_does_not_ask_counts_nothing_and_offers_nothing(ada: User, settings: Settings) -> None:
    path = mailed(ada)
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, count_opens=False)
    fetch(path)
    assert kinds() == []
    leave_cart(make_customer())
    assert run() == 1
    assert pixel() == ""
    client = Client()
    client.force_login(ada)
    assert "open_tracking" not in client.get(PREFERENCES).content.decode()


def test_leave_that_was_taken_back_counts_for_mails_that_went_before(ada: User) -> None:
    path, client = mailed(ada), Client()
    client.force_login(ada)
    assert re.search(r'name="open_tracking"[^>]*checked', client.get(PREFERENCES).content.decode())
    client.post(PREFERENCES, {"cart_reminder": "1"})
    assert not selectors.allows_opens(user_id=ada.pk)
    fetch(path)
    assert kinds() == []
    client.post(PREFERENCES, {"cart_reminder": "1", "open_tracking": "1"})
    client.post(PREFERENCES, {"cart_reminder": "1", "open_tracking": "1"})
    fetch(path)
    assert kinds() == ["open"]
    assert Preference.objects.filter(topic="open_tracking").count() == 3, "what is saved again is no new statement"


def test_another_token_shows_the_picture_and_notes_nothing(ada: User) -> None:
    mailed(ada)
    for path in ("/e/o/x.gif", f"/e/o/{link('e/u').removeprefix('/e/u/')}.gif", f"/e/o/{'A' * 34}.gif"):
        fetch(path)
    assert Client().head(pixel()).status_code == 200
    assert Client().post(pixel()).status_code == 405
    assert kinds() == []


def test_an_open_costs_two_statements(ada: User) -> None:
    path = mailed(ada)
    with CaptureQueriesContext(connection) as queries:
        fetch(path)
    assert len(queries) == 2
