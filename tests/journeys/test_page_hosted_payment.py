"""A shopper pays on the provider's own page and comes back, without a script of anybody's."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from shop.checkout.models import Order, Payment
from tests.checkout.stripe_stand_in import StripeStandIn
from tests.web.helpers import sell, shopper_with
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db(transaction=True)


def at_the_providers_page(account: StripeStandIn) -> tuple[Shopper, str, str]:
    """Press the pay button; give the shopper, the page's id at the provider, and the way back from it."""
    sell("MUG-350", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG-350")
    shopper.open("/cart/").press("Check out").press(
        "Continue to payment", email="ada@example.org", name="Ada", line1="1 Row", city="London", postcode="SW1A 1AA"
    )
    assert shopper.sees("We never see your card.")
    shopper.press("Continue to review")
    assert shopper.sees("Card or another way, on the next page")
    shopper.press("Pay £14.00")
    [session] = account.sessions
    assert shopper.url == f"/c/pay/{session}"
    return shopper, session, urlsplit(account.requests[0][2]["success_url"]).path


def test_whoever_paid_there_finds_the_order_here(stripe: StripeStandIn) -> None:
    shopper, session, back = at_the_providers_page(stripe)
    stripe.pays(session)

    shopper.open(back)
    assert shopper.url.endswith("/waiting/")
    shopper.press("Check again")

    assert shopper.sees("Thank you for your order")
    assert Order.objects.count() == 1
    assert [intent["status"] for intent in stripe.intents.values()] == ["succeeded"]


def test_whoever_comes_back_unpaid_can_go_there_again_or_pay_otherwise(stripe: StripeStandIn) -> None:
    shopper, session, back = at_the_providers_page(stripe)

    shopper.open(back)
    assert (f"/c/pay/{session}") in str(shopper.response.content)  # type: ignore[union-attr]  # a page was answered
    shopper.press("Check again")
    assert shopper.url.endswith("/waiting/")
    shopper.press("Pay in another way")

    assert shopper.url.endswith("/payment/")
    assert stripe.sessions[session]["status"] == "expired"
    assert Payment.objects.get().state == "failed"
    shopper.press("Continue to review").press("Pay £14.00")
    assert len(stripe.sessions) == 2


def test_a_payment_made_while_another_way_was_wanted_stands(stripe: StripeStandIn) -> None:
    shopper, session, back = at_the_providers_page(stripe)
    shopper.open(back)
    stripe.pays(session)

    shopper.press("Pay in another way")

    assert shopper.sees("Thank you for your order")
    assert Payment.objects.get().state == "succeeded"
    assert [intent["status"] for intent in stripe.intents.values()] == ["succeeded"]


def test_the_api_leads_to_the_same_page(stripe: StripeStandIn) -> None:
    from tests.api.helpers import Api  # noqa: PLC0415 - this test alone speaks it
    from tests.journeys.test_api_guest_buys import fill_in, start  # noqa: PLC0415 - as above

    sell("MUG-350", "Enamel mug", price=1_400)
    api = Api()
    api("PUT", "cart/items/MUG-350", {"quantity": 1})
    checkout = fill_in(api, start(api).json())
    data = {"method": "stripe", "provider_token": "hosted", "expected_total": 1_400}

    waiting = api("POST", f"checkouts/{checkout['id']}/payments", data, key=True)

    [session] = stripe.sessions
    assert waiting.json()["next_action"] == {"type": "redirect", "url": f"https://checkout.stripe.com/c/pay/{session}"}
    stripe.pays(session)
    back = Shopper().open(urlsplit(stripe.requests[0][2]["success_url"]).path)
    assert back.sees("You can close this page")
    assert api("POST", waiting.headers["Location"] + "/checks").json()["state"] == "succeeded"
