"""The ends of a reservation: sold, released, expired; each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from inventory import selectors
from inventory import services as inventory
from inventory.errors import ReservationExpiredError, ReservationUnknownError
from inventory.models import StockEntry
from inventory.services import ending
from inventory.tasks import sweep_reservations
from inventory.types import ReservationState
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock

pytestmark = pytest.mark.django_db


def test_sold_units_leave_the_stock_with_an_entry_each() -> None:
    stock(MUG=5, PLATE=2)
    view = inventory.reserve(demands=demands(MUG=3, PLATE=2), owner="chk_1")

    sold = inventory.commit(reservation_id=view.reservation_id, reference="ord_1")

    assert sold.state is ReservationState.HARD
    assert counters() == {"MUG": (2, 0), "PLATE": (0, 0)}
    entries = StockEntry.objects.filter(kind="sale").order_by("sku_id")
    assert [(e.sku_id, e.delta, e.on_hand_after, e.reason, e.reference) for e in entries] == [
        ("MUG", -3, 2, "sale", "ord_1"),
        ("PLATE", -2, 0, "sale", "ord_1"),
    ]
    assert_balanced()


def test_without_a_reference_the_ledger_names_the_owner() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    inventory.commit(reservation_id=view.reservation_id)

    assert StockEntry.objects.get(kind="sale").reference == "chk_1"


def test_selling_twice_sells_once() -> None:
    stock(MUG=2)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    first = inventory.commit(reservation_id=view.reservation_id)
    second = inventory.commit(reservation_id=view.reservation_id)

    assert first == second
    assert counters() == {"MUG": (1, 0)}
    assert StockEntry.objects.filter(kind="sale").count() == 1


def test_an_overdue_reservation_that_nobody_ended_is_sold() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=-60)

    assert inventory.commit(reservation_id=view.reservation_id).state is ReservationState.HARD
    assert inventory.sweep() == 0
    assert counters() == {"MUG": (0, 0)}


@pytest.mark.parametrize("end", ["release", "sweep"])
def test_what_is_over_cannot_be_sold(end: str) -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)
    if end == "release":
        inventory.release(reservation_id=view.reservation_id, cause="cancelled")
    else:
        inventory.sweep()

    with pytest.raises(ReservationExpiredError):
        inventory.commit(reservation_id=view.reservation_id)

    assert counters() == {"MUG": (1, 0)}
    assert not StockEntry.objects.filter(kind="sale").exists()


def test_what_never_was_cannot_be_sold() -> None:
    with pytest.raises(ReservationUnknownError):
        inventory.commit(reservation_id="res_nothing")


def test_released_units_come_back_once() -> None:
    stock(MUG=2)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert inventory.release(reservation_id=view.reservation_id, cause="cancelled") is True
    assert inventory.release(reservation_id=view.reservation_id, cause="cancelled") is False

    assert counters() == {"MUG": (2, 0)}
    ended = selectors.get_reservation(reservation_id=view.reservation_id)
    assert (ended.state, ended.cause) == (ReservationState.RELEASED, "cancelled")
    assert_balanced()


def test_what_is_sold_cannot_be_released() -> None:
    stock(MUG=2)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)

    assert inventory.release(reservation_id=view.reservation_id, cause="cancelled") is False
    assert counters() == {"MUG": (0, 0)}


def test_the_sweep_ends_all_that_is_overdue_in_batches_and_nothing_else() -> None:
    stock(MUG=20, PLATE=20)
    for number in range(7):
        inventory.reserve(demands=demands(MUG=1, PLATE=2), owner=f"chk_{number}", ttl_seconds=0)
    live = inventory.reserve(demands=demands(MUG=3), owner="chk_live")

    assert inventory.sweep(batch=3) == 7
    assert inventory.sweep(batch=3) == 0

    assert counters() == {"MUG": (20, 3), "PLATE": (20, 0)}
    assert sorted(states().values()) == ["expired"] * 7 + ["soft"]
    assert states()[live.reservation_id] == "soft"
    assert_balanced()


def test_the_sweep_says_when_it_last_came_to_its_end() -> None:
    assert selectors.last_sweep_at() is None
    stock(MUG=1)
    inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=-90)
    assert 90 <= selectors.oldest_overdue_seconds() < 150

    sweep_reservations(from_a_newer_version="ignored")

    first = selectors.last_sweep_at()
    assert first is not None
    assert selectors.oldest_overdue_seconds() == 0
    inventory.sweep()
    second = selectors.last_sweep_at()
    assert second is not None
    assert second > first


@pytest.mark.parametrize("lines", [1, 60])
def test_each_end_is_one_statement(django_assert_num_queries: Any, lines: int) -> None:
    wanted = {f"SKU-{number}": 1 for number in range(lines)}
    stock(**dict.fromkeys(wanted, 10))
    one, two, three = (
        inventory.reserve(demands=demands(**wanted), owner=owner, ttl_seconds=ttl)
        for owner, ttl in (("chk_1", 600), ("chk_2", 600), ("chk_3", 0))
    )

    with django_assert_num_queries(1):
        inventory.commit(reservation_id=one.reservation_id)
    with django_assert_num_queries(1):
        inventory.release(reservation_id=two.reservation_id, cause="cancelled")
    with django_assert_num_queries(3):  # and the note that it ran, and which SKUs are hot
        inventory.sweep()

    assert states()[three.reservation_id] == "expired"
    assert_balanced()


@pytest.mark.parametrize("hours", [-5, 5])
def test_an_application_whose_clock_is_off_ends_nothing_early_and_keeps_nothing_for_ever(hours: int) -> None:
    stock(MUG=2)
    live = inventory.reserve(demands=demands(MUG=1), owner="chk_live")
    over = inventory.reserve(demands=demands(MUG=1), owner="chk_over", ttl_seconds=0)

    with time_machine.travel(datetime.now(tz=UTC) + timedelta(hours=hours)):
        another = inventory.reserve(demands=demands(MUG=1), owner="chk_another")
        assert inventory.sweep() == 0
        assert inventory.renew(reservation_id=live.reservation_id).expires_at - live.expires_at == timedelta(minutes=10)

    assert states() == {
        live.reservation_id: "soft",
        over.reservation_id: "expired",
        another.reservation_id: "soft",
    }
    assert abs(another.created_at - live.created_at) < timedelta(minutes=1)


def test_twin_a_sweep_by_the_clock_of_an_application_ends_what_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    stock(MUG=1)
    inventory.reserve(demands=demands(MUG=1), owner="chk_live")
    ahead = datetime.now(tz=UTC) + timedelta(hours=5)
    by_ours = ending.SWEEP_BATCH.replace("expires_at <= clock_timestamp()", f"expires_at <= '{ahead.isoformat()}'")
    monkeypatch.setattr(ending, "SWEEP_BATCH", by_ours)

    assert inventory.sweep() == 1
