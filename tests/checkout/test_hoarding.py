"""Caps against hoarding: units of one owner, and what is held from one network address."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cart.types import CartRef
from inventory import services as inventory
from inventory.models import Reservation
from shop.checkout import hoarding, models, services
from shop.checkout.errors import AddressLimitError, UnitsLimitError
from shop.checkout.types import CheckoutView
from shop.core import clock
from tests.checkout.helpers import make_sku, new_guest, principal_of, put, ready

pytestmark = pytest.mark.django_db

OFFICE = "203.0.113.7"


@pytest.fixture(autouse=True)
def _caps(settings: Settings) -> None:
    settings.CHECKOUT = replace(settings.CHECKOUT, reserved_units=6, address_checkouts=2, address_units=10)
    make_sku("MUG", on_hand=90)


def start_from(address: str, units: int = 1, ref: CartRef | None = None) -> CheckoutView:
    guest = ref or new_guest()
    put(guest, "MUG", units)
    view, _ = services.start_checkout(
        ref=guest,
        principal=principal_of(guest),
        accepted_total=None,
        expected_cart_version=None,
        now=clock.now(),
        network_address=address,
    )
    return view


def held() -> int:
    return Reservation.objects.filter(state="soft").count()


def test_one_owner_holds_so_many_units_and_no_more() -> None:
    start_from("", 6)

    with pytest.raises(UnitsLimitError) as caught:
        start_from("", 7)

    assert caught.value.limit == 6
    assert held() == models.Checkout.objects.count() == 1


def test_what_is_being_paid_counts_too() -> None:
    guest, _ = ready(quantity=4)
    models.Checkout.objects.update(state="paying")

    with pytest.raises(UnitsLimitError):
        start_from("", 3, guest)
    start_from("", 2, guest)


def test_from_one_address_there_are_so_many_reservations_whoever_asks() -> None:
    first = start_from(OFFICE)
    start_from(OFFICE)
    with pytest.raises(AddressLimitError) as caught:
        start_from(OFFICE)
    assert caught.value.retry_after_seconds == 120
    assert held() == 2
    start_from("198.51.100.1")

    inventory.release(reservation_id=first.reservation_id, cause="cancelled")  # only what is held counts
    start_from(OFFICE)


def test_from_one_address_there_are_so_many_units() -> None:
    start_from(OFFICE, 6)

    with pytest.raises(AddressLimitError):
        start_from(OFFICE, 5)
    start_from(OFFICE, 4)


def test_whoever_has_a_checkout_goes_on_with_it() -> None:
    guest = new_guest()
    first = start_from(OFFICE, 1, guest)
    start_from(OFFICE)

    again = start_from(OFFICE, 2, guest)

    assert again.checkout_id == first.checkout_id


def test_a_limit_of_0_is_none(settings: Settings) -> None:
    settings.CHECKOUT = replace(settings.CHECKOUT, reserved_units=0, address_checkouts=0, address_units=0)
    for _ in range(3):
        start_from(OFFICE, 9)
    assert held() == 3


def test_no_address_is_kept_in_clear_and_none_for_long(clean_cache: object) -> None:
    start_from(OFFICE)

    with redis.Redis.from_url(django_settings.CACHES["default"]["LOCATION"], decode_responses=True) as client:
        (key,) = list(client.scan_iter("*checkout:started:*"))
        assert OFFICE not in key
        assert 0 < client.ttl(key) <= hoarding.KEPT_SECONDS


def test_the_page_says_so(client: Client, settings: Settings) -> None:
    own = {"Origin": "http://testserver"}
    client.post(reverse("cart:add"), {"sku_id": "MUG", "quantity": "2"}, headers=own)
    settings.CHECKOUT = replace(settings.CHECKOUT, reserved_units=1)

    answer = client.post(reverse("checkout:start"), headers=own)

    assert answer.headers["Location"] == "/cart/?stop=units_limit"
    page = client.get(answer.headers["Location"])
    assert "So many units cannot be reserved at once." in page.content.decode()
    assert held() == 0
