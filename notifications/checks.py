"""What must be true of links in reminders, or mail programs do not show their “unsubscribe”."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from notifications import links
from notifications.conf import link_base
from notifications.links import Purpose

LONGEST = 74
"""Longer URLs in `List-Unsubscribe` are encoded by Python's modern mail policy, and no mailbox takes that for a URL."""


@register()
def unsubscribe_links_are_short(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Build a real unsubscribe link and measure it."""
    url = f"{link_base()}/e/u/{links.token(Purpose.UNSUBSCRIBE, links.new_link('msg_'))}"
    if len(url) <= LONGEST:
        return []
    most = LONGEST - (len(url) - len(link_base()))
    message = f"NOTIFICATIONS_LINK_BASE_URL (or BASE_URL) is too long: links in mails have room for {most} characters."
    return [Error(message, id="notifications.E001")]
