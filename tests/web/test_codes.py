"""Discount codes on the cart page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core import mail

from notifications import services as notifications
from pricing import services as pricing
from pricing.models import DiscountCode, Promotion
from pricing.types import ReductionKind
from shop.core import clock
from tests.web.helpers import sell, shopper_with, to_review
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def shopper() -> Shopper:
    """Somebody on the cart page with a mug of £10.00."""
    promotion = pricing.NewPromotion(
        name="Welcome", kind=ReductionKind.PERCENT, value=10, needs_code=True, valid_from=LONG_AGO
    )
    brought = pricing.add_promotion(promotion=promotion)
    pricing.publish_code(promotion_id=brought, code="WELCOME10", valid_from=LONG_AGO)
    sell("MUG", "Enamel mug")
    return shopper_with("MUG").open("/cart/")


def test_a_code_is_applied_and_removed_without_scripts(shopper: Shopper) -> None:
    shopper.press("Apply code", code=" welcome10")

    assert shopper.seen == [303, 200]
    assert shopper.sees("Discount code applied. Total £9.00.")
    assert shopper.sees("Welcome (WELCOME10) −£1.00")

    shopper.press("Remove WELCOME10")

    assert shopper.sees("Discount code removed. Total £10.00.")
    assert not shopper.sees("WELCOME10")


def test_what_is_wrong_stands_beside_the_field_with_what_was_typed(shopper: Shopper) -> None:
    shopper.press("Apply code", code="WELCOM10")

    assert shopper.seen == [422]
    assert shopper.sees("Error: There is no such discount code. Please check how it is written.")
    assert shopper.fields_of("Apply code")["code"] == ["WELCOM10"]
    page = bytes(getattr(shopper.response, "content", b""))
    assert b'<details id="codes" open>' in page
    assert b'aria-describedby="code-error"' in page


def test_a_script_gets_the_whole_cart(shopper: Shopper) -> None:
    answers = [
        shopper.client.post(
            "/cart/codes/", shopper.fields_of("Apply code") | {"code": [typed]}, headers={"HX-Request": "true"}
        )
        for typed in ("NONE", "WELCOME10")
    ]
    assert [(answer.status_code, answer["HX-Retarget"]) for answer in answers] == [(422, "#cart"), (200, "#cart")]
    assert "−£1.00" in answers[1].content.decode()


def test_more_than_five_tries_a_minute_have_to_wait(shopper: Shopper) -> None:
    for number in range(5):
        shopper.press("Apply code", code=f"GUESS{number}")
    shopper.press("Apply code", code="WELCOME10")

    assert shopper.seen == [429]
    assert shopper.sees("Please wait a minute before trying another code.")


def test_a_field_sent_twice_is_no_code(shopper: Shopper) -> None:
    form = shopper.fields_of("Apply code") | {"code": ["NONE", "WELCOME10"]}

    assert shopper.client.post("/cart/codes/", form).status_code == 422


def test_discounts_stand_on_every_page_up_to_the_order_and_in_its_mail(shopper: Shopper) -> None:
    shopper.press("Apply code", code="WELCOME10")
    to_review(shopper)

    for _ in range(2):
        assert shopper.sees("Subtotal £10.00 Welcome (WELCOME10) −£1.00")
        if shopper.can_press("Pay £9.00"):
            shopper.press("Pay £9.00")
    assert shopper.sees("Thank you for your order")
    notifications.queue_order_mails(now=clock.now())
    notifications.dispatch_messages(now=clock.now())
    (letter,) = mail.outbox
    assert "Welcome (WELCOME10): −£1.00" in letter.body
    assert "Total: £9.00" in letter.body


def test_a_code_that_went_to_another_is_said_with_the_total_without_it(shopper: Shopper) -> None:
    DiscountCode.objects.update(max_uses=1)
    shopper.press("Apply code", code="WELCOME10")
    to_review(shopper)
    DiscountCode.objects.update(used=1)

    shopper.press("Pay £9.00")

    assert shopper.sees("WELCOME10 takes nothing off now. This discount code has been used up.")
    shopper.press("Continue at £10.00")
    shopper.press("Continue to review", provider_token="ok")
    assert shopper.press("Pay £10.00").sees("Thank you for your order")


def test_a_total_that_rose_since_the_cart_was_shown_is_asked_for(shopper: Shopper) -> None:
    shopper.press("Apply code", code="WELCOME10")
    promotions = Promotion.objects.all()
    promotions.update(value=5)

    shopper.press("Check out")

    assert shopper.seen == [409]
    assert shopper.can_press("Continue at £9.50")
