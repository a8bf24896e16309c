"""The page that asks before anything is charged which the shopper has not seen: it says what is different."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inventory.models import Reservation
from pricing import services as pricing
from pricing.models import Promotion
from pricing.types import ReductionKind
from shop.checkout.models import Checkout, Order
from shop.core import clock
from tests.api.test_codes import make_code
from tests.web.helpers import sell, set_price, shopper_with, to_review
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> Shopper:
    sell("MUG", "Mug", price=1_000)
    sell("BOWL", "Bowl", price=500)
    return shopper_with("MUG", "BOWL")


def another_tab(shopper: Shopper) -> Shopper:
    """Open the shop once more in the same browser."""
    other = Shopper()
    other.client = shopper.client
    return other


def test_what_another_tab_added_is_named_with_its_price_before_it_is_charged(shopper: Shopper) -> None:
    sell("LAMP", "Lamp", price=2_000)
    to_review(shopper)
    other = another_tab(shopper)
    other.open("/p/lamp/?sku=LAMP").press("Add to cart")
    other.open("/p/mug/?sku=MUG").press("Add to cart")

    shopper.press("Pay £15.00")

    assert shopper.title.startswith("Your cart has changed")
    assert shopper.sees("Nothing is charged yet.")
    assert shopper.sees("Mug 1 2 × £10.00")
    assert shopper.sees("Lamp 0 1 × £20.00")
    assert not shopper.sees("Bowl")
    shopper.press("Continue at £45.00")
    shopper.press("Continue to review", provider_token="ok").press("Pay £45.00")
    assert Order.objects.get().total_minor == 4_500


def test_what_another_tab_took_out_is_named(shopper: Shopper) -> None:
    to_review(shopper)
    another_tab(shopper).open("/cart/").press("Remove Bowl")

    shopper.press("Pay £15.00")

    assert shopper.title.startswith("Your cart has changed")
    assert shopper.sees("Bowl 1 0 Total £10.00")


def test_where_nothing_is_reserved_it_says_so_and_names_each_price(shopper: Shopper) -> None:
    set_price("MUG", 1_200)
    set_price("BOWL", 600)

    shopper.open("/cart/").press("Check out")

    assert shopper.title.startswith("Prices have changed")
    assert shopper.sees("Nothing is reserved or charged yet.")
    assert shopper.sees("Mug £10.00 £12.00 Bowl £5.00 £6.00 Total £18.00")


def test_a_total_without_a_changed_line_says_what_can_have_changed(shopper: Shopper) -> None:
    make_code("WELCOME10")
    shopper.press("Apply code", code="WELCOME10")
    Promotion.objects.update(value=5)
    form = shopper.fields_of("Check out") | {"shown_total": ["1350"]}

    page = shopper.client.post("/checkout/", form)

    assert page.status_code == 409
    assert "<h1>The total has changed</h1>" in page.content.decode()
    assert "Your cart or its discounts have changed" in page.content.decode()


def test_a_sale_that_ended_with_the_price_lock_is_named_and_what_is_reserved_told(shopper: Shopper) -> None:
    now = clock.now()
    sale = pricing.NewPromotion(
        name="Flash sale", kind=ReductionKind.PERCENT, value=20, valid_from=now - timedelta(hours=1)
    )
    pricing.add_promotion(promotion=sale)
    to_review(shopper)
    Promotion.objects.update(valid_until=now)
    Checkout.objects.update(lock_expires_at=now)

    shopper.press("Pay £12.00")

    assert shopper.title.startswith("The total has changed")
    assert shopper.sees("Nothing is charged yet.")
    assert shopper.sees("“Flash sale” no longer applies.")
    assert not shopper.sees("Your cart or its discounts have changed")
    Reservation.objects.update(expires_at=now)
    shopper.open(f"/checkout/{Checkout.objects.get().pk}/review/").press("Reserve again")
    assert shopper.sees("Nothing is reserved or charged yet.")
    assert shopper.sees("“Flash sale” no longer applies.")
    shopper.press("Continue at £15.00")
    assert shopper.sees("Total £15.00")
