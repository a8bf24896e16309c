"""The framework's signal that checkout hears: signing in. A failure here never spoils it."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import Error as DatabaseError
from django.dispatch import receiver

from cart import identity
from shop.checkout import selectors, services
from shop.checkout.types import CheckoutState, Principal
from shop.core import clock
from shop.core.errors import Refusal

log = logging.getLogger(__name__)


@receiver(user_logged_in, dispatch_uid="checkout.hand_over")
def on_sign_in(sender: object, *, request: Any, user: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Give back what a guest's open checkout has reserved before the carts are joined.

    It is the same person's from now on, and must not stand in the way of their own purchase as another shopper's.
    Runs before the cart's receiver, because checkout comes first among the installed apps. What was typed in goes no
    further: a guest's cart may have been planted by somebody else, and with it the place where the goods are sent.
    """
    ref = identity.guest_ref(request) if request is not None else None
    if ref is None:
        return
    principal = Principal(owner=ref.owner, user_id=None)
    now = clock.now()
    try:
        checkout = selectors.find_open_checkout(principal=principal, now=now)
        if checkout is None or checkout.state is not CheckoutState.OPEN:
            return
        services.cancel(checkout_id=checkout.checkout_id, principal=principal, now=now)
    except (Refusal, DatabaseError):
        log.exception("checkout_not_handed_over", extra={"user_id": user.pk})
