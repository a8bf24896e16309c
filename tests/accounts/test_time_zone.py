"""By which clock a customer lives: told by the browser with the form to sign in."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from shop.accounts import selectors, services
from shop.accounts.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "long enough to be safe"


@pytest.fixture
def ada() -> User:
    user = User.objects.create_user("ada@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def zone_of(user: User) -> str:
    contact = selectors.find_contact(user_id=user.pk)
    assert contact is not None
    return contact.time_zone


def sign_in(**more: str) -> Client:
    client = Client()
    answer = client.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD, **more})
    assert answer.status_code == 302
    return client


def test_signing_in_tells_it_and_the_last_browser_counts(ada: User) -> None:
    assert b'name="time_zone"' in Client().get(reverse("account_login")).content
    sign_in(time_zone="Europe/Berlin")
    assert zone_of(ada) == "Europe/Berlin"
    client = sign_in(time_zone="America/New_York")
    assert zone_of(ada) == "America/New_York"
    assert "America/New_York" in client.get(reverse("notifications:preferences")).content.decode()
    sign_in()
    assert zone_of(ada) == "America/New_York", "a browser without scripts tells nothing, and takes nothing back"


@pytest.mark.parametrize("name", ["Europe", "Mars/Base", "../../etc/passwd", "x\x00y", "<script>", "a" * 5_000])
def test_what_is_no_time_zone_signs_in_and_is_not_kept(ada: User, name: str) -> None:
    services.learn_time_zone(user_id=ada.pk, name="Europe/Berlin")
    sign_in(time_zone=name)
    assert zone_of(ada) == "Europe/Berlin"


def test_signing_up_tells_it_too() -> None:
    assert b'name="time_zone"' in Client().get(reverse("account_signup")).content
    typed = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD, "time_zone": "Asia/Tokyo"}
    assert Client().post(reverse("account_signup"), typed).status_code == 302
    assert zone_of(User.objects.get()) == "Asia/Tokyo"


def test_it_is_part_of_what_a_customer_may_ask_for(ada: User) -> None:
    services.learn_time_zone(user_id=ada.pk, name="Europe/Berlin")
    assert selectors.export_customer(user_id=ada.pk)["time_zone"] == "Europe/Berlin"
