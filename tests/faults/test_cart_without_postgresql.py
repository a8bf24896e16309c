"""The cart page while PostgreSQL is away: what Redis knows, and nothing made up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import Settings

from cart.web import base
from shop.accounts.models import User
from tests.faults.test_who_can_still_do_what import NOBODY, postgresql
from tests.web.helpers import sell, shopper_with
from tests.web.shopper import Shopper

pytestmark = [pytest.mark.fault, pytest.mark.django_db]


@pytest.fixture
def shopper() -> Shopper:
    """Give a guest with two mugs in the cart and a towel saved for later, on the cart page."""
    sell("MUG", "Enamel mug", price=1_400)
    sell("TOWEL", "Linen towel", price=2_200)
    shopper = shopper_with("MUG", "TOWEL").press("Update the quantity of Enamel mug", quantity="2")
    return shopper.press("Save Linen towel for later").open("/cart/")


def test_a_guest_sees_lines_without_names_and_prices_and_forms_of_before_still_work(
    shopper: Shopper, settings: Settings
) -> None:
    removing = shopper.fields_of("Remove Enamel mug")
    with postgresql(settings):
        shopper.open("/cart/")
        assert (shopper.status, shopper.sees("MUG Quantity: 2")) == (200, True)
        assert shopper.sees("Saved for later (1)")
        assert shopper.sees("TOWEL Quantity: 1")
        assert shopper.sees("Names and prices cannot be shown right now")
        assert "£" not in shopper.text
        assert not shopper.sees("no longer sold")
        assert not shopper.can_press("Check out")

        shopper.post("/cart/lines/MUG/remove/", removing)
        assert (shopper.seen, shopper.sees("Removed MUG.")) == ([303, 200], True)
        shopper.press("Undo: Removed MUG.")
        assert (shopper.seen, shopper.sees("MUG Quantity: 2")) == ([303, 200], True)

        answer = shopper.client.post("/cart/lines/MUG/", {**removing, "quantity": "3"})
        assert (answer.status_code, bool(answer.headers["Retry-After"])) == (503, True)
    shopper.open("/cart/")
    assert shopper.sees("£28.00")
    assert shopper.can_press("Check out")


def test_with_redis_away_too_and_for_customers_it_says_to_try_again(shopper: Shopper, settings: Settings) -> None:
    there = settings.CART
    with postgresql(settings):
        settings.CART = replace(there, redis_url=NOBODY)
        assert shopper.open("/cart/").status == 503
        settings.CART = there
    shopper.client.force_login(User.objects.create_user("ada@example.com", "trolley-demo-1"))
    with postgresql(settings):
        assert shopper.open("/cart/").status == 503
        assert shopper.sees("Please try again in a minute.")


def test_a_page_that_needs_prices_would_show_nothing(
    shopper: Shopper, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    monkeypatch.setattr(base, "read_page", base._read_priced)
    monkeypatch.setattr("cart.web.views.read_page", base._read_priced)
    with postgresql(settings):
        assert shopper.open("/cart/").status == 503
