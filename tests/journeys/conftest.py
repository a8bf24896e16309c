"""What journeys need beside the shop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django import Settings

from shop.checkout.conf import StripeConf
from tests.checkout.stripe_stand_in import StripeStandIn, stripe_stand_in


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeStandIn]:
    """Let the shop be paid through Stripe, which a stand-in plays."""
    with stripe_stand_in() as account:
        settings.STRIPE = StripeConf(secret_key="sk_test_0123456789", api_base=account.url)
        settings.CHECKOUT = replace(settings.CHECKOUT, gateway="stripe", webhook_secret="whsec_1")
        yield account
