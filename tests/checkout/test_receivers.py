"""What a sign-in means for the guest's checkout."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.test import RequestFactory

from cart import identity
from cart.types import CartRef
from shop.accounts.models import User
from shop.checkout import models
from shop.core.ids import hash_token, new_token
from tests.checkout.helpers import cart_of, counters, make_sku, pay, ready, start

pytestmark = pytest.mark.django_db


def sign_in(token: str) -> CartRef:
    """Sign a customer in who carries a guest's session; give the customer's cart."""
    user = User.objects.create_user("ada@example.com")
    request = RequestFactory().post("/accounts/login/", headers={identity.HEADER: token})
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    user_logged_in.send(User, request=request, user=user)
    return CartRef("u", str(user.pk))


def test_after_sign_in_the_last_unit_is_the_customers_and_nothing_typed_comes_along() -> None:
    make_sku(on_hand=1)
    token = new_token()
    guest, view = ready(CartRef("g", hash_token(token)))
    assert counters() == (1, 1)

    customer = sign_in(token)

    assert models.Checkout.objects.get(pk=view.checkout_id).state == "cancelled"
    mine = start(customer)
    assert counters() == (1, 1)
    assert (mine.address, mine.email) == (None, "")
    assert cart_of(customer) == {"MUG": 1}
    assert cart_of(guest) == {}


def test_a_payment_under_way_is_left_alone() -> None:
    make_sku()
    token = new_token()
    guest, view = ready(CartRef("g", hash_token(token)))
    pay(view, guest, "slow")
    sign_in(token)
    assert models.Checkout.objects.get(pk=view.checkout_id).state == "paying"
