"""The signal that notifications hear: an account goes, together with what reminders know of it, or not at all."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete

from notifications import services
from shop.core import clock


def on_customer_deleted(sender: object, *, instance: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Forget a customer, in the transaction that deletes the account."""
    services.forget_customer(user_id=instance.pk, now=clock.now())


for _model in ("accounts.User", "accounts.Customer"):  # Django names the model that was asked to delete
    post_delete.connect(on_customer_deleted, sender=_model, dispatch_uid=f"notifications.forget.{_model}")
