"""Reservations that ended long ago are deleted; what they sold stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from inventory import services as inventory
from inventory.conf import conf
from inventory.models import Reservation, ReservationLine, ReservationShare, StockEntry
from inventory.tasks import prune_reservations
from inventory.watching import list_drifts
from tests.inventory.helpers import age, assert_balanced, counters, demands, standing, states, stock

pytestmark = pytest.mark.django_db


def reserve(number: int) -> str:
    return inventory.reserve(demands=demands(LAMP=1, MUG=2), owner=f"chk_{number}").reservation_id


def test_those_that_ended_long_ago_go_with_their_lines_and_shares_and_nothing_else_changes() -> None:
    inventory.open_location(code="shop", name="Shop")
    stock(MUG=20, LAMP=20)
    live, sold, released, overdue = (reserve(number) for number in range(4))
    inventory.commit(reservation_id=sold, reference="ord_1")
    inventory.release(reservation_id=released, cause="cancelled")
    Reservation.objects.filter(pk=overdue).update(expires_at="2020-01-01T00:00Z")
    inventory.sweep()
    age(days=91)
    lately = reserve(5)
    inventory.commit(reservation_id=lately)
    ledger, before, places = list(StockEntry.objects.values()), counters(), standing()

    prune_reservations()

    assert states() == {live: "soft", lately: "hard"}
    assert ReservationLine.objects.count() == ReservationShare.objects.count() == 4
    assert (list(StockEntry.objects.values()), counters(), standing()) == (ledger, before, places)
    assert list_drifts() == ()
    assert_balanced()


def test_a_day_before_its_time_it_stays(settings: Settings) -> None:
    settings.INVENTORY = replace(conf(), keep_days=30)
    stock(MUG=9, LAMP=9)
    inventory.release(reservation_id=reserve(1), cause="cancelled")

    age(days=29)
    assert inventory.prune_reservations() == 0
    age(days=2)
    assert inventory.prune_reservations() == 1


def test_one_made_long_ago_that_ended_lately_stays() -> None:
    stock(MUG=9, LAMP=9)
    reservation_id = reserve(1)
    age(days=91)
    inventory.release(reservation_id=reservation_id, cause="cancelled")

    assert inventory.prune_reservations() == 0


def test_many_go_in_batches(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    stock(MUG=9, LAMP=9)
    for number in range(5):
        inventory.release(reservation_id=reserve(number), cause="cancelled")
    age(days=91)

    with django_assert_num_queries(3):
        assert inventory.prune_reservations(batch=2) == 5
    assert states() == {}
