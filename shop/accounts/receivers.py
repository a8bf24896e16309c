"""The framework's signal that accounts hear: signing in. A failure here never spoils it."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import Error as DatabaseError
from django.dispatch import receiver

from shop.accounts import services

log = logging.getLogger(__name__)
FIELD = "time_zone"
"""Of the forms to sign in and to sign up: filled in by the browser, empty without scripts."""


@receiver(user_logged_in, dispatch_uid="accounts.learn_time_zone")
def on_sign_in(sender: object, *, request: Any, user: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Remember the time zone that the browser told with the form."""
    name = request.POST.get(FIELD, "") if request is not None else ""
    if not name:
        return
    try:
        services.learn_time_zone(user_id=user.pk, name=name)
    except DatabaseError:
        log.exception("time_zone_not_kept", extra={"user_id": user.pk})
