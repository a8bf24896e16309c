"""Renew, reserve again, cancel; and what an edited cart means for its open checkout."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from cart import services as carts
from inventory import services as inventory
from inventory.errors import InsufficientStockError, RenewalLimitError, ReservationExpiredError
from inventory.models import Reservation
from inventory.types import ReservationState
from shop.checkout import models, selectors, services
from shop.checkout.errors import CheckoutCancelledError, PriceChangedError
from shop.core import clock
from tests.checkout.helpers import (
    cart_of,
    counters,
    fill,
    later,
    make_sku,
    new_guest,
    pay,
    principal_of,
    put,
    ready,
    set_price,
    start,
)
from tests.checkout.test_outcomes import expire_reservations
from tests.inventory.helpers import age

pytestmark = pytest.mark.django_db


def test_ten_renewals_work_and_the_eleventh_says_why_not() -> None:
    make_sku()
    ref, view = ready()
    for left in range(9, -1, -1):
        shown = services.renew(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
        assert shown.renewals_left == left
    with pytest.raises(RenewalLimitError):
        services.renew(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())


def test_a_reservation_that_is_over_is_not_renewed_but_made_again() -> None:
    make_sku()
    ref, view = ready()
    expire_reservations()
    shown = selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert shown.reservation_state is ReservationState.EXPIRED
    assert shown.requirements == ("reservation",)
    with pytest.raises(ReservationExpiredError):
        services.renew(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())

    again = services.reserve_again(
        checkout_id=view.checkout_id, principal=principal_of(ref), accepted_total=None, now=clock.now()
    )
    assert again.reservation_state is ReservationState.SOFT
    assert again.email == "ada@example.com"
    assert counters() == (50, 1)


def test_a_reservation_that_is_long_deleted_is_over_like_any_other() -> None:
    make_sku()
    make_sku("PLATE")
    ref = new_guest()
    put(ref, "PLATE")
    ref, view = ready(ref)
    expire_reservations()
    age(days=91)
    inventory.prune_reservations()
    who = principal_of(ref)

    with pytest.raises(ReservationExpiredError):
        services.renew(checkout_id=view.checkout_id, principal=who, now=clock.now())
    assert not services.give_back_removed(checkout_id=view.checkout_id, principal=who, now=clock.now())
    put(ref, "PLATE", 0)
    assert services.give_back_removed(checkout_id=view.checkout_id, principal=who, now=clock.now())


def test_an_overdue_reservation_shows_as_expired_before_the_sweep_met_it() -> None:
    make_sku()
    ref, view = ready()
    Reservation.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    shown = selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert shown.reservation_state is ReservationState.EXPIRED


def test_reserving_again_says_what_is_gone() -> None:
    make_sku(on_hand=1)
    ref, view = ready()
    expire_reservations()
    inventory.adjust(sku_id="MUG", delta=-1, reason="damaged", by=None)
    with pytest.raises(InsufficientStockError):
        services.reserve_again(
            checkout_id=view.checkout_id, principal=principal_of(ref), accepted_total=None, now=clock.now()
        )
    assert models.Checkout.objects.get().state == "open"


def test_reserving_again_after_the_price_lock_needs_agreement_to_a_rise() -> None:
    make_sku(price=1_200)
    ref, view = ready()
    expire_reservations()
    set_price("MUG", 1_500)
    with time_machine.travel(later(901), tick=True):
        with pytest.raises(PriceChangedError):
            services.reserve_again(
                checkout_id=view.checkout_id, principal=principal_of(ref), accepted_total=None, now=clock.now()
            )
        assert counters() == (50, 0)
        again = services.reserve_again(
            checkout_id=view.checkout_id, principal=principal_of(ref), accepted_total=1_500, now=clock.now()
        )
    assert again.total.minor == 1_500


def test_cancelling_gives_back_at_once_and_twice_is_success() -> None:
    make_sku()
    ref, view = ready()
    for _ in range(2):
        services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert counters() == (50, 0)
    assert cart_of(ref) == {"MUG": 1}
    with pytest.raises(CheckoutCancelledError):
        selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())


def test_an_ordered_checkout_cannot_be_cancelled() -> None:
    make_sku()
    ref, view = ready()
    pay(view, ref)
    with pytest.raises(CheckoutCancelledError):
        services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert counters() == (49, 0)


def test_after_cancelling_another_checkout_begins() -> None:
    make_sku()
    ref, view = ready()
    services.cancel(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert start(ref).checkout_id != view.checkout_id


def test_units_taken_out_of_the_cart_go_back_and_added_ones_wait() -> None:
    make_sku("MUG", price=1_200)
    make_sku("BOWL", price=900)
    ref = new_guest()
    put(ref, "MUG", 3)
    view = fill(start(ref), ref)
    put(ref, "MUG", 1)
    put(ref, "BOWL", 5)
    set_price("MUG", 2_000)

    assert services.finish_checkouts(now=clock.now()) == 1

    shown = selectors.get_checkout(checkout_id=view.checkout_id, principal=principal_of(ref), now=clock.now())
    assert [(line.sku_id, line.quantity, line.unit_price.minor) for line in shown.lines] == [("MUG", 1, 1_200)]
    assert shown.total.minor == 1_200
    assert shown.lock_expires_at == view.lock_expires_at
    assert shown.reservation_expires_at == view.reservation_expires_at
    assert counters("MUG") == (50, 1)
    assert counters("BOWL") == (50, 0)
    assert services.finish_checkouts(now=clock.now()) == 0


def test_an_emptied_cart_ends_its_checkout() -> None:
    make_sku()
    ref, view = ready()
    carts.empty_cart(ref=ref)
    services.finish_checkouts(now=clock.now())
    row = models.Checkout.objects.get(pk=view.checkout_id)
    assert (row.state, row.end_cause) == ("cancelled", "cart_emptied")
    assert counters() == (50, 0)


def test_a_cart_changed_there_and_back_is_paid_as_shown() -> None:
    make_sku()
    ref, view = ready(quantity=2)
    put(ref, "MUG", 4)
    put(ref, "MUG", 2)
    assert pay(view, ref).order_number
    assert cart_of(ref) == {}
