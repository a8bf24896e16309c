"""Who gives back, renews or counts while somebody else does: units move once, time is not taken away, sales stay."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import DatabaseError, IntegrityError, connection

from inventory import selectors
from inventory import services as inventory
from inventory.errors import ReservationExpiredError
from inventory.services import adjusting, ending
from inventory.types import ReservationState, ReservationView
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import held_open, meet, running, wait_until_blocked

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

LOCKED_IF_DUE = "FOR UPDATE SKIP LOCKED"
ADDED = "SET on_hand = s.on_hand + %(delta)s"


def test_released_many_times_at_once_units_come_back_once() -> None:
    stock(MUG=5)
    view = inventory.reserve(demands=demands(MUG=3), owner="chk_1")

    answers = meet(8, lambda _: inventory.release(reservation_id=view.reservation_id, cause="cancelled"))

    assert sorted(answers, key=str) == [False] * 7 + [True]
    assert counters() == {"MUG": (5, 0)}
    assert_balanced()


def test_twin_who_does_not_ask_whether_it_is_over_meets_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    careless = ending.RELEASE.replace(" AND r.state = 'soft'", "")
    assert careless != ending.RELEASE
    monkeypatch.setattr(ending, "RELEASE", careless)
    stock(MUG=5)
    view = inventory.reserve(demands=demands(MUG=3), owner="chk_1")

    answers = meet(8, lambda _: inventory.release(reservation_id=view.reservation_id, cause="cancelled"))

    assert [answer for answer in answers if isinstance(answer, DatabaseError)]


def renewed_as_it_ends() -> ReservationView:
    """Renew a reservation, and sweep past its old end before that is committed."""
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=1)
    with ExitStack() as later:
        with held_open(lambda: inventory.renew(reservation_id=view.reservation_id)):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_sleep(greatest(0, extract(epoch FROM %s - clock_timestamp())))", [view.expires_at]
                )
            sweep = later.enter_context(running(inventory.sweep))
            if LOCKED_IF_DUE in ending.SWEEP_BATCH:
                assert sweep.result(30) == 0
            else:
                wait_until_blocked()
        sweep.result(30)
    return view


def test_a_renewal_that_was_first_is_not_swept_away() -> None:
    view = renewed_as_it_ends()

    assert selectors.get_reservation(reservation_id=view.reservation_id).renewals == 1
    assert states() == {view.reservation_id: "soft"}
    assert_balanced()


def test_twin_a_sweep_that_does_not_lock_what_is_due_takes_renewed_time_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "SWEEP_BATCH", ending.SWEEP_BATCH.replace(LOCKED_IF_DUE, ""))

    view = renewed_as_it_ends()

    assert states() == {view.reservation_id: "expired"}


def test_a_renewal_that_comes_after_the_sweep_is_refused() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)

    with ExitStack() as later:
        with held_open(inventory.sweep):
            renewal = later.enter_context(running(lambda: inventory.renew(reservation_id=view.reservation_id)))
        with pytest.raises(ReservationExpiredError):
            renewal.result(30)

    assert states() == {view.reservation_id: "expired"}
    assert counters() == {"MUG": (1, 0)}
    assert_balanced()


def counted_amid_a_sale() -> None:
    """Count 10 where the page said 9, while a sale of 2 is under way."""
    stock(MUG=9)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    with ExitStack() as later:
        with held_open(lambda: inventory.commit(reservation_id=view.reservation_id)):
            count = later.enter_context(
                running(lambda: inventory.recount(sku_id="MUG", counted=10, unshipped=0, on_hand_then=9, by=7))
            )
            wait_until_blocked()
        count.result(30)
    assert selectors.get_reservation(reservation_id=view.reservation_id).state is ReservationState.HARD


def test_a_count_amid_a_sale_keeps_what_was_sold_sold() -> None:
    counted_amid_a_sale()

    assert counters() == {"MUG": (8, 0)}
    assert_balanced()


def test_twin_a_count_that_writes_what_it_read_puts_sold_units_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ADDED in adjusting.ADJUST
    monkeypatch.setattr(adjusting, "ADJUST", adjusting.ADJUST.replace(ADDED, "SET on_hand = 9 + %(delta)s"))

    counted_amid_a_sale()

    assert counters() == {"MUG": (10, 0)}
    with pytest.raises(AssertionError):
        assert_balanced()


def test_one_adjustment_sent_many_times_at_once_is_made_once() -> None:
    stock(MUG=1)

    answers = meet(10, lambda _: inventory.adjust(sku_id="MUG", delta=5, reason="received", by=1, reference="adj_1"))

    assert answers == [6] * 10
    assert counters() == {"MUG": (6, 0)}
    assert_balanced()


def test_twin_that_does_not_look_for_its_reference_is_stopped_by_the_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    careless = adjusting.ADJUST.replace("AND NOT EXISTS (SELECT FROM done)", "")
    assert careless != adjusting.ADJUST
    monkeypatch.setattr(adjusting, "ADJUST", careless)
    stock(MUG=1)

    answers = meet(10, lambda _: inventory.adjust(sku_id="MUG", delta=5, reason="received", by=1, reference="adj_1"))

    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [IntegrityError] * 9
    assert counters() == {"MUG": (6, 0)}


def returned_amid_a_delivery() -> None:
    """Take two units back from a customer while a delivery of five is booked and not committed."""
    stock(MUG=1)
    with ExitStack() as later:
        with held_open(lambda: inventory.adjust(sku_id="MUG", delta=5, reason="received", by=1)):
            back = later.enter_context(
                running(lambda: inventory.adjust(sku_id="MUG", delta=2, reason="returned", by=1, reference="ord_1"))
            )
            wait_until_blocked()
        back.result(30)


def test_units_returned_amid_a_delivery_are_added_to_it() -> None:
    returned_amid_a_delivery()

    assert counters() == {"MUG": (8, 0)}
    assert_balanced()


def test_twin_that_adds_to_what_it_read_loses_the_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ADDED in adjusting.ADJUST
    read = "SET on_hand = (SELECT on_hand FROM inventory_stockitem WHERE sku_id = %(sku_id)s) + %(delta)s"
    monkeypatch.setattr(adjusting, "ADJUST", adjusting.ADJUST.replace(ADDED, read))

    returned_amid_a_delivery()

    assert counters() == {"MUG": (3, 0)}


def test_deliveries_losses_and_returns_at_once_add_up() -> None:
    stock(MUG=100, LAMP=100)
    changes = [("MUG", 3, "received"), ("LAMP", -2, "damaged"), ("MUG", -1, "lost"), ("LAMP", 1, "returned")]

    def change(number: int) -> int:
        for turn in range(5):
            sku_id, delta, reason = changes[(number + turn) % 4]
            inventory.adjust(sku_id=sku_id, delta=delta, reason=reason, by=number)
        return 5

    assert meet(16, change) == [5] * 16

    assert counters() == {"MUG": (140, 0), "LAMP": (80, 0)}
    assert_balanced()
