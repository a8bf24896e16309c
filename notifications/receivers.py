"""The signals that notifications hear: an account goes, and what a mail provider tells of mails, or passes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymail.signals import inbound, tracking
from django.db.models.signals import post_delete

from notifications import services
from notifications.services.rendering import MESSAGE_KEY
from shop.core import clock


def on_customer_deleted(sender: object, *, instance: Any, **_: object) -> None:  # noqa: ANN401 - Django's
    """Forget a customer, in the transaction that deletes the account."""
    services.forget_customer(user_id=instance.pk, now=clock.now())


for _model in ("accounts.User", "accounts.Customer"):  # Django names the model that was asked to delete
    post_delete.connect(on_customer_deleted, sender=_model, dispatch_uid=f"notifications.forget.{_model}")


def on_mail_news(sender: object, *, event: Any, esp_name: str, **_: object) -> None:  # noqa: ANN401 - anymail's
    """Write down what a provider told of a mail."""
    now, raw = clock.now(), event.esp_event
    services.note_mail_event(
        news=services.News(
            provider=esp_name.lower(),
            event_type=event.event_type,
            event_id=str(event.event_id or ""),
            public_id=str((event.metadata or {}).get(MESSAGE_KEY, "")),
            recipient=event.recipient or "",
            reject_reason=event.reject_reason or "",
            answer=f"{event.mta_response or ''} {event.description or ''}",
            raw=raw if isinstance(raw, Mapping) else {},
            at=min(event.timestamp or now, now),
        ),
        now=now,
    )


tracking.connect(on_mail_news, dispatch_uid="notifications.mail_news")


def on_mail_received(sender: object, *, event: Any, esp_name: str, **_: object) -> None:  # noqa: ANN401 - anymail's
    """Write down that somebody opts out by mail: to whom it goes says it, whatever it says."""
    mail = event.message
    named = [address.addr_spec for address in (*mail.to, *mail.cc)]
    services.note_mailed_opt_out(
        provider=esp_name.lower(),
        recipients=[mail.envelope_recipient or "", *named],
        event_id=str(event.event_id or mail["Message-ID"] or ""),
        now=clock.now(),
    )


inbound.connect(on_mail_received, dispatch_uid="notifications.mail_received")
