"""Moving the end of a reservation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inventory import selectors
from inventory import services as inventory
from inventory.conf import conf
from inventory.errors import RenewalLimitError, ReservationExpiredError, ReservationUnknownError
from tests.inventory.helpers import demands, stock

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("ttl", [30, 600, 5_000])
def test_renewing_adds_a_full_life_to_the_end(ttl: int) -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=ttl)

    renewed = inventory.renew(reservation_id=view.reservation_id)

    assert renewed.renewals == 1
    assert renewed.expires_at - view.expires_at == timedelta(seconds=600)
    assert selectors.get_reservation(reservation_id=view.reservation_id) == renewed


def test_renewals_come_to_an_end(settings: Any) -> None:
    settings.INVENTORY = replace(conf(), renewals=2)
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.renew(reservation_id=view.reservation_id)
    last = inventory.renew(reservation_id=view.reservation_id)

    with pytest.raises(RenewalLimitError) as refused:
        inventory.renew(reservation_id=view.reservation_id)

    assert refused.value.limit == 2
    assert selectors.get_reservation(reservation_id=view.reservation_id) == last


def test_what_is_overdue_is_neither_renewed_nor_pinned() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1", ttl_seconds=0)

    with pytest.raises(ReservationExpiredError):
        inventory.renew(reservation_id=view.reservation_id)
    with pytest.raises(ReservationExpiredError):
        inventory.pin(reservation_id=view.reservation_id, seconds=1_800)

    assert selectors.get_reservation(reservation_id=view.reservation_id) == view


def test_what_never_was_is_neither_renewed_nor_pinned() -> None:
    with pytest.raises(ReservationUnknownError):
        inventory.renew(reservation_id="res_nothing")
    with pytest.raises(ReservationUnknownError):
        inventory.pin(reservation_id="res_nothing", seconds=1)


def test_a_pin_moves_the_end_forward_and_once() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    pinned = inventory.pin(reservation_id=view.reservation_id, seconds=1_800)
    again = inventory.pin(reservation_id=view.reservation_id, seconds=9_999)

    assert pinned.pinned_until == pinned.expires_at
    assert pinned.expires_at - view.expires_at > timedelta(seconds=1_199)
    assert again == pinned


def test_a_pin_never_shortens() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    pinned = inventory.pin(reservation_id=view.reservation_id, seconds=5)

    assert pinned.expires_at == view.expires_at
    assert pinned.pinned_until == view.expires_at


def test_a_renewal_does_not_shorten_a_pin() -> None:
    stock(MUG=1)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    pinned = inventory.pin(reservation_id=view.reservation_id, seconds=1_800)

    assert inventory.renew(reservation_id=view.reservation_id).expires_at >= pinned.expires_at
