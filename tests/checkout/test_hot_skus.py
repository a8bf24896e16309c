"""Starting a checkout with a hot SKU: reserved through its lane, before the checkout's own transaction."""

from __future__ import annotations

import pytest
from django.db import transaction

from inventory import services as inventory
from inventory.errors import InsufficientStockError
from inventory.models import Reservation
from inventory.services import lane, reserving
from inventory.types import ReservationState
from shop.checkout import models
from shop.checkout.errors import ReservationLimitError
from shop.checkout.services import starting
from shop.checkout.types import CheckoutState
from tests.checkout.helpers import make_sku, new_guest, put, start
from tests.inventory.helpers import assert_balanced, counters

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a hot SKU of which 4 are there; list the lanes that were passed."""
    make_sku("MUG", on_hand=4)
    inventory.mark_hot(sku_id="MUG", is_hot=True)
    passed: list[str] = []
    through = lane.pass_lane

    def noted(**arguments: object) -> object:
        assert not transaction.get_connection().in_atomic_block
        passed.extend(arguments["hot"])  # type: ignore[arg-type]
        return through(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reserving, "pass_lane", noted)
    return passed


def test_a_first_checkout_passes_the_lane_and_has_one_reservation(lanes: list[str]) -> None:
    guest = new_guest()
    put(guest, "MUG", 2)

    view = start(guest)

    assert lanes == ["MUG"]
    assert view.reservation_state is ReservationState.SOFT
    assert list(Reservation.objects.values_list("id", "owner", "state")) == [
        (view.reservation_id, view.checkout_id, "soft")
    ]
    assert counters() == {"MUG": (4, 2)}


def test_an_open_checkout_is_changed_by_the_difference_without_the_lane(lanes: list[str]) -> None:
    guest = new_guest()
    put(guest, "MUG", 1)
    first = start(guest)
    put(guest, "MUG", 3)

    second = start(guest)

    assert second.checkout_id == first.checkout_id
    assert lanes == ["MUG"]
    assert counters() == {"MUG": (4, 3)}
    assert_balanced()


def test_too_few_units_start_nothing(lanes: list[str]) -> None:
    guest = new_guest()
    put(guest, "MUG", 4)
    inventory.adjust(sku_id="MUG", delta=-1, reason="damaged", by=None)

    with pytest.raises(InsufficientStockError) as caught:
        start(guest)

    assert caught.value.shortages[0].available == 3
    assert not models.Checkout.objects.exists()
    assert counters() == {"MUG": (3, 0)}


def test_a_checkout_that_fails_after_the_lane_gives_its_units_back(
    lanes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = new_guest()
    put(guest, "MUG", 2)

    def fail(*_: object, **__: object) -> None:
        raise ReservationLimitError(3)

    monkeypatch.setattr(starting, "_insert", fail)
    with pytest.raises(ReservationLimitError):
        start(guest)

    assert lanes == ["MUG"]
    assert counters() == {"MUG": (4, 0)}
    assert list(Reservation.objects.values_list("state", "cause")) == [("released", "not_started")]
    assert not models.Checkout.objects.filter(state=CheckoutState.OPEN.value).exists()
