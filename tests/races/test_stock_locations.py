"""Units in two locations under rivals: never more than is there, each unit in one place, even as one is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from inventory import services as inventory
from inventory.conf import conf
from inventory.errors import AdjustmentInvalidError
from inventory.models import ReservationShare, StockItem
from inventory.services import opening, repairing
from inventory.types import ReservationView
from tests.inventory.helpers import assert_balanced, counters, demands, shares, standing, stock
from tests.races.rivals import be_patient, held_open, meet, running, wait_until_blocked
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _patient(settings: Settings) -> None:
    settings.INVENTORY = replace(conf(), hot_after_waits=0, lane_wait_seconds=60)


@pytest.fixture
def _two_locations(transactional_db: None) -> None:
    """Put 4 mugs into the first location and 3 into the second, with lamps beside them."""
    inventory.open_location(code="shop", name="Shop")
    inventory.open_location(code="annex", name="Annex")
    stock(MUG=4, LAMP=100)
    inventory.adjust(sku_id="MUG", delta=3, reason="received", by=None, location="annex")


@contextmanager
def without(trigger: str) -> Iterator[None]:
    """Switch a trigger of the reservation lines off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE %s", [f"pgtrigger_{trigger}%"])
        ((name,),) = cursor.fetchall()
        cursor.execute(f"ALTER TABLE inventory_reservationline DISABLE TRIGGER {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE inventory_reservationline ENABLE TRIGGER {name}")


def buy(number: int) -> ReservationView:
    return inventory.reserve(demands=demands(LAMP=1, MUG=1), owner=f"chk_{number}")


@pytest.mark.usefixtures("_two_locations")
@pytest.mark.parametrize("is_hot", [False, True])
def test_rivals_get_what_both_locations_have_and_no_more(*, is_hot: bool) -> None:
    inventory.mark_hot(sku_id="MUG", is_hot=is_hot)

    answers = meet(30, buy)

    assert Counter(type(answer).__name__ for answer in answers) == {"ReservationView": 7, "InsufficientStockError": 23}
    assert standing()["MUG", "shop"] == (4, 4)
    assert standing()["MUG", "annex"] == (3, 3)
    assert_balanced()


@pytest.mark.usefixtures("_two_locations")
def test_a_line_filled_from_two_while_both_move_comes_from_two() -> None:
    first = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    with ExitStack() as later:
        with held_open(lambda: inventory.release(reservation_id=first.reservation_id, cause="cancelled")):
            buyer = later.enter_context(running(lambda: inventory.reserve(demands=demands(MUG=6), owner="chk_2")))
            wait_until_blocked()
        view = buyer.result(PATIENCE_SECONDS)

    assert shares(view.reservation_id) == {("MUG", "shop"): 4, ("MUG", "annex"): 2}
    assert_balanced()


@pytest.mark.usefixtures("_two_locations")
def test_all_that_moves_units_at_once_leaves_the_locations_adding_up() -> None:
    def act(number: int) -> int:
        done = 0
        for turn in range(12):
            view = inventory.reserve(demands=demands(LAMP=2, MUG=1 + turn % 3), owner=f"chk_{number}")
            # Another wish of the same owner: what they had is placed anew, the lamps too, of which as many are wanted.
            inventory.reserve(demands=demands(LAMP=2, MUG=1), owner=f"chk_{number}")
            inventory.adjust(sku_id="MUG", delta=1, reason="found", by=None, location=("shop", "annex")[turn % 2])
            if turn % 2:
                inventory.release_owner(owner=f"chk_{number}", cause="cancelled")
            else:
                inventory.sweep()
            done += bool(view)
        return done

    inventory.adjust(sku_id="MUG", delta=40, reason="received", by=None, location="annex")

    assert meet(8, act) == [12] * 8
    assert_balanced()


@pytest.mark.usefixtures("_two_locations")
def test_twin_without_the_trigger_that_gives_back_the_locations_do_not_add_up() -> None:
    with without("lines_leave_their_places"):
        for answer in meet(7, buy):
            assert isinstance(answer, ReservationView)
            inventory.release(reservation_id=answer.reservation_id, cause="cancelled")

        assert counters()["MUG"] == (7, 0)
        with pytest.raises(AssertionError):
            assert_balanced()


def test_a_location_opened_amid_reservations_takes_over_every_unit_and_line() -> None:
    stock(MUG=200, LAMP=200)

    def act(number: int) -> int:
        if number == 0:
            for code in ("shop", "annex"):
                inventory.open_location(code=code, name=code.title())
            return 12
        done = 0
        for turn in range(12):
            view = inventory.reserve(demands=demands(LAMP=1, MUG=1), owner=f"chk_{number}_{turn}")
            if turn % 3:
                inventory.commit(reservation_id=view.reservation_id)
            done += 1
        return done

    assert meet(8, act) == [12] * 8
    assert ReservationShare.objects.exists()
    assert_balanced()


def test_one_unit_that_waits_for_a_location_to_open_is_placed_in_it() -> None:
    stock(MUG=1)

    with ExitStack() as later:
        with held_open(lambda: inventory.open_location(code="shop", name="Shop")):
            buyer = later.enter_context(running(lambda: inventory.reserve(demands=demands(MUG=1), owner="chk_1")))
            wait_until_blocked()
        view = buyer.result(PATIENCE_SECONDS)

    assert shares(view.reservation_id) == {("MUG", "shop"): 1}
    assert_balanced()


def test_twin_opened_without_the_lock_the_unit_is_placed_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(opening, "ALL_STOCK", "SELECT 1")
    stock(MUG=1)

    with held_open(lambda: inventory.reserve(demands=demands(MUG=1), owner="chk_1")):
        inventory.open_location(code="shop", name="Shop")

    with pytest.raises(AssertionError):
        assert_balanced()


def open_amid_a_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repair a counter that says five mugs instead of three; open the first location between reading and writing."""
    stock(MUG=3)
    StockItem.objects.update(on_hand=5)
    told = repairing._told

    def open_patiently() -> None:
        be_patient()
        inventory.open_location(code="shop", name="Shop")

    with ExitStack() as later:

        def open_in_between(*found: Any) -> str:
            opener = later.enter_context(running(open_patiently))
            wait_until_blocked(unless=opener)
            return told(*found)

        monkeypatch.setattr(repairing, "_told", open_in_between)
        inventory.repair_drift(sku_id="MUG", by=None)


def test_a_location_opened_amid_a_repair_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    open_amid_a_repair(monkeypatch)

    assert standing() == {("MUG", "shop"): (3, 0)}
    assert_balanced()


def test_twin_opened_while_others_have_only_locked_rows_it_takes_over_what_they_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever changes stock is waited for; whoever has locked rows and will change them is not.
    monkeypatch.setattr(opening, "ALL_STOCK", "LOCK TABLE inventory_stockitem IN SHARE ROW EXCLUSIVE MODE")

    open_amid_a_repair(monkeypatch)

    assert counters() == {"MUG": (3, 0)}
    assert standing() == {("MUG", "shop"): (5, 0)}


@pytest.mark.usefixtures("_two_locations")
def test_a_location_that_is_being_closed_takes_nothing_any_more() -> None:
    inventory.adjust(sku_id="MUG", delta=-3, reason="lost", by=None, location="annex")

    with ExitStack() as later:
        with held_open(lambda: inventory.change_location(code="annex", name="Annex", position=20, is_open=False)):
            delivery = later.enter_context(
                running(lambda: inventory.adjust(sku_id="MUG", delta=1, reason="received", by=None, location="annex"))
            )
            wait_until_blocked()
        with pytest.raises(AdjustmentInvalidError):
            delivery.result(PATIENCE_SECONDS)

    assert standing()["MUG", "annex"] == (0, 0)
    assert_balanced()
