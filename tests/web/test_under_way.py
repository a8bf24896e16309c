"""The cart page while a checkout is under way."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cart.helpers import round_trips
from tests.checkout.test_outcomes import expire_reservations
from tests.journeys.test_page_sign_in_joins_carts import make_customer, sign_in
from tests.web.helpers import sell, shopper_with

pytestmark = pytest.mark.django_db


def test_it_says_for_how_long_the_items_are_reserved_and_when_they_no_longer_are() -> None:
    sell("MUG", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG").press("Check out").open("/cart/")
    assert shopper.sees("Checkout in progress, reserved for about 10 more minutes.")

    expire_reservations()
    assert shopper.open("/cart/").sees("Checkout in progress. Your items are no longer reserved.")

    shopper.press("Cancel checkout")
    assert not shopper.open("/cart/").sees("Checkout in progress")


@pytest.mark.parametrize(("who", "queries", "trips"), [("guest", 4, 1), ("customer", 5, 2)])
def test_it_costs_no_more_than_without(who: str, queries: int, trips: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # To know who is signed in costs one query and one trip on every page: the session and the user.
    sell("MUG", "Enamel mug", price=1_400)
    sell("TOWEL", "Linen towel", price=2_200)
    shopper = shopper_with("MUG", "TOWEL")
    if who == "customer":
        make_customer()
        sign_in(shopper.open("/cart/").follow("Sign in"))
    shopper.press("Check out").open("/cart/")
    sent = round_trips(monkeypatch)
    with CaptureQueriesContext(connection) as asked:
        shopper.open("/cart/")

    assert shopper.sees("Checkout in progress")
    assert len(asked) <= queries
    assert len(sent) == trips
