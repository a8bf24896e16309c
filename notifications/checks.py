"""What must be true of the ways out of reminders, or mail programs do not show their “unsubscribe”."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from notifications import links
from notifications.conf import conf
from notifications.services import reminders
from notifications.web import hooks

LONGEST = 74
"""Longer URLs in `List-Unsubscribe` are encoded by Python's modern mail policy, and no mailbox takes that for a URL."""


@register()
def unsubscribe_links_are_short(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Build the real URLs and measure them."""
    names = ("NOTIFICATIONS_LINK_BASE_URL (or BASE_URL)", "NOTIFICATIONS_UNSUBSCRIBE_MAILBOX")
    found: list[CheckMessage] = []
    for name, url in zip(names, reminders.opt_outs(links.new_link("msg_")), strict=False):
        if (over := len(url.encode()) - LONGEST) > 0:
            message = f"{name} is {over} characters too long: mail programs would not know the URLs made with it."
            found.append(Error(message, id="notifications.E001"))
    return found


@register()
def somebody_reads_the_unsubscribe_mailbox(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Promise no opt-out by mail that nobody would read."""
    if not conf().unsubscribe_mailbox or hooks.hears(settings.MAIL_PROVIDER, "inbound"):
        return []
    message = (
        "NOTIFICATIONS_UNSUBSCRIBE_MAILBOX needs ANYMAIL_PROVIDER, one that passes incoming mails on, and "
        "ANYMAIL_WEBHOOK_SECRET: otherwise nobody would read who opts out by mail."
    )
    return [Error(message, id="notifications.E002")]
