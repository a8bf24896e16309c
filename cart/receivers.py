"""The framework's signals that the cart hears: signing in and out. A failure here never spoils either."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import Error as DatabaseError
from django.dispatch import receiver

from cart import identity
from shop.core import clock
from shop.core.errors import Refusal

log = logging.getLogger(__name__)


@receiver(user_logged_in, dispatch_uid="cart.merge_guest_cart")
def on_sign_in(sender: object, *, request: Any, user: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Join the guest's cart to the customer's. What fails is finished with the next request."""
    if request is None:
        return
    try:
        if identity.merge_at_sign_in(request, user_id=user.pk, now=clock.now()) is None:
            identity.show_customers_cart(request, user_id=user.pk)
    except (Refusal, DatabaseError):
        log.exception("merge_failed", extra={"user_id": user.pk})


@receiver(user_logged_out, dispatch_uid="cart.forget_cart")
def on_sign_out(sender: object, *, request: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Let the browser forget the customer's cart."""
    if request is not None:
        identity.forget_cart(request)
