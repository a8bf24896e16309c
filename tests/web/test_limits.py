"""Pages count changes of carts and starts of checkouts as the API does: masses of either have to wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from inventory.models import Reservation
from shop.checkout.models import Checkout
from tests.web.helpers import sell, shopper_with

pytestmark = pytest.mark.django_db

OWN = {"Origin": "http://testserver"}


@pytest.fixture(autouse=True)
def _tight(settings: Settings) -> None:
    """Allow three changes and one checkout start a minute, and twice that from one address."""
    settings.API = replace(settings.API, cart_writes_per_minute=3, checkout_starts_per_minute=1, address_factor=2)
    sell("MUG", "Mug", price=1_000)


def add(client: Client, **headers: str) -> HttpResponseBase:
    return client.post(reverse("cart:add"), {"sku_id": "MUG", "quantity": "1"}, headers={**OWN, **headers})


def assert_waits(response: HttpResponseBase) -> None:
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 60


def test_whoever_makes_carts_and_throws_them_away_is_counted_by_address() -> None:
    clients = [Client() for _ in range(7)]

    answers = [add(client) for client in clients]

    assert [answer.status_code for answer in answers] == [303] * 6 + [429]
    assert_waits(answers[6])
    assert not clients[6].cookies  # no cart came into being
    assert_waits(add(Client(), Accept="application/json"))


def test_who_changes_a_cart_too_often_reads_why_and_keeps_it() -> None:
    shopper = shopper_with("MUG").open("/cart/")
    form = shopper.fields_of("Update")
    line = reverse("cart:line", args=["MUG"])
    answers = [shopper.client.post(line, {**form, "quantity": [str(number)]}) for number in (2, 3, 4, 5)]

    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert_waits(answers[3])
    assert "Please wait a little before trying again." in answers[3].content.decode()
    assert 'value="4"' in shopper.client.get("/cart/").content.decode()


def test_who_starts_checkouts_too_often_waits_and_nothing_more_is_reserved() -> None:
    shopper = shopper_with("MUG").open("/cart/")
    shopper.press("Check out")
    checkout = Checkout.objects.get()

    shopper.open("/cart/").press("Check out")

    assert shopper.seen == [429]
    assert shopper.sees("Please wait a little before trying again.")
    assert (Checkout.objects.get().version, Reservation.objects.count()) == (checkout.version, 1)
