"""Who renews or adjusts while somebody else does: each change is made once, and none is lost."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import IntegrityError

from inventory import services as inventory
from inventory.errors import ReservationExpiredError
from inventory.services import adjusting
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import held_open, meet, running, wait_until_blocked
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

ADDED = "SET on_hand = s.on_hand + %(delta)s"


def test_a_renewal_that_comes_after_the_sweep_is_refused() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)

    with ExitStack() as later:
        with held_open(inventory.sweep):
            renewal = later.enter_context(running(lambda: inventory.renew(reservation_id=view.reservation_id)))
        with pytest.raises(ReservationExpiredError):
            renewal.result(PATIENCE_SECONDS)

    assert states() == {view.reservation_id: "expired"}
    assert counters() == {"MUG": (1, 0)}
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
        back.result(PATIENCE_SECONDS)


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
