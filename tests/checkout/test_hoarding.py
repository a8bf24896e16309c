"""Caps against hoarding: units of one owner, and what is held from one network address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cart.types import CartRef
from inventory import services as inventory
from inventory.models import Reservation
from shop.checkout import hoarding, models, services
from shop.checkout.errors import AddressLimitError, UnitsLimitError
from shop.checkout.services import starting
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


def test_whoever_has_a_checkout_does_not_grow_past_the_units_of_its_address() -> None:
    guest = new_guest()
    start_from(OFFICE, 4, guest)
    start_from(OFFICE, 5)

    with pytest.raises(AddressLimitError):
        start_from(OFFICE, 6, guest)
    start_from(OFFICE, 5, guest)
    start_from(OFFICE, 5, guest)


def test_what_ended_is_not_reserved_again_past_the_limit() -> None:
    guest = new_guest()
    over = start_from(OFFICE, 1, guest)
    inventory.release(reservation_id=over.reservation_id, cause="cancelled")
    others = [start_from(OFFICE), start_from(OFFICE)]

    def again() -> CheckoutView:
        return services.reserve_again(
            checkout_id=over.checkout_id,
            principal=principal_of(guest),
            accepted_total=None,
            now=clock.now(),
            network_address=OFFICE,
        )

    with pytest.raises(AddressLimitError):
        again()
    inventory.release(reservation_id=others[0].reservation_id, cause="cancelled")
    assert again().reservation_id
    assert again().checkout_id == over.checkout_id  # a live one stays as it is


def start_amid_another(monkeypatch: pytest.MonkeyPatch, rival: Callable[[], object], guest: CartRef) -> list[Exception]:
    """Start a checkout, and let `rival` act between its look at the caps and its reserving; what the rival raised."""
    written, refused = starting._write, list[Exception]()

    def write(*given: Any) -> Any:
        monkeypatch.setattr(starting, "_write", written)
        try:
            rival()
        except (AddressLimitError, UnitsLimitError) as refusal:
            refused.append(refusal)
        return written(*given)

    monkeypatch.setattr(starting, "_write", write)
    start_from(OFFICE, 4, guest)
    return refused


def test_of_two_who_start_at_once_where_there_is_room_for_one_the_second_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_from(OFFICE)

    refused = start_amid_another(monkeypatch, lambda: start_from(OFFICE), new_guest())

    assert [type(refusal) for refusal in refused] == [AddressLimitError]
    assert held() == 2
    start_from("198.51.100.1")


def test_twin_who_does_not_count_those_about_to_reserve_goes_past_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    true_room = hoarding._require_room
    monkeypatch.setattr(hoarding, "_require_room", lambda before, *more: true_room(({}, before[1]), *more))
    start_from(OFFICE)

    assert start_amid_another(monkeypatch, lambda: start_from(OFFICE), new_guest()) == []

    assert held() == 3


def test_who_died_while_reserving_counts_for_a_minute(clean_cache: object) -> None:
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(hoarding, "_conclude", lambda *_: None)
        with hoarding.room_for(network_address=OFFICE, checkout_id="chk_dead", units=9, now=clock.now()):
            pass

    with pytest.raises(AddressLimitError):
        start_from(OFFICE, 2)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        start_from(OFFICE, 2)


def test_what_is_paid_for_by_the_time_of_reserving_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = new_guest()
    start_from("", 3, guest)

    with pytest.raises(UnitsLimitError):
        start_amid_another(monkeypatch, lambda: models.Checkout.objects.update(state="paying"), guest)

    assert held() == models.Checkout.objects.count() == 1


def test_twin_who_counts_before_its_turn_alone_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "require_few_units", lambda cart, _: sum(line.quantity for line in cart.lines))
    guest = new_guest()
    start_from("", 3, guest)

    start_amid_another(monkeypatch, lambda: models.Checkout.objects.update(state="paying"), guest)

    assert held() == 2


def test_a_limit_of_0_is_none(settings: Settings) -> None:
    settings.CHECKOUT = replace(settings.CHECKOUT, reserved_units=0, address_checkouts=0, address_units=0)
    for _ in range(3):
        start_from(OFFICE, 9)
    assert held() == 3


def test_no_address_is_kept_in_clear_and_none_for_long(clean_cache: object) -> None:
    start_from(OFFICE)

    with redis.Redis.from_url(django_settings.CACHES["default"]["LOCATION"], decode_responses=True) as client:
        assert not list(client.scan_iter("*checkout:reserving:*"))
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
