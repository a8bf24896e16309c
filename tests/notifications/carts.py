"""Customers who left a cart behind, and campaigns that look for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from cart import idle
from cart.types import CartLine
from notifications import services
from notifications.models import Campaign, Message, Step, Variant
from shop.accounts.models import User
from shop.core import clock
from shop.core.money import Money

_numbers = count(1)
HOUR = timedelta(hours=1)


def make_customer(email: str = "", *, is_verified: bool = True, **fields: Any) -> User:
    """Make a customer whose address is verified."""
    address = email or f"customer{next(_numbers)}@example.com"
    user = User.objects.create_user(address, None, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=is_verified, primary=True)
    return user


def leave_cart(user: User, lines: Mapping[str, int] | None = None, *, hours: float = 2, price: int = 1_200) -> datetime:
    """Let a customer have left a cart so many hours ago; tell when."""
    at = clock.now() - timedelta(hours=hours)
    made = idle.put_idle_record(
        user_id=user.pk,
        lines=[
            CartLine(sku_id, quantity, Money(price, "GBP"), at - timedelta(minutes=5))
            for sku_id, quantity in (lines or {"MUG": 2}).items()
        ],
        last_activity_at=at,
        currency="GBP",
    )
    assert made
    return at


def make_campaign(
    slug: str = "cart", *, variants: Mapping[str, int] | None = None, steps: int = 1, **fields: Any
) -> Campaign:
    """Start a campaign without hold-out and quiet hours, which ran ten days ago already."""
    defaults: dict[str, Any] = {
        "name": slug,
        "holdout_bp": 0,
        "quiet_start": "08:00",
        "quiet_end": "08:00",
        "max_messages_per_event": steps,
    }
    campaign = Campaign.objects.create(slug=slug, **{**defaults, **fields})
    for key, weight in (variants or {"a": 10_000}).items():
        variant = Variant.objects.create(campaign=campaign, key=key, weight_bp=weight)
        for number in range(1, steps + 1):
            Step.objects.create(variant=variant, number=number, delay=timedelta() if number == 1 else 24 * HOUR)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now())
    Campaign.objects.filter(pk=campaign.pk).update(activated_at=clock.now() - timedelta(days=10))
    campaign.refresh_from_db()
    return campaign


def run(seconds: float = 0) -> int:
    """Detect and send, so many seconds from now; tell how many mails went."""
    now = clock.now() + timedelta(seconds=seconds)
    services.detect(now=now)
    return services.send_reminders(now=now)


def the_message() -> Message:
    """Give the only reminder there is."""
    return Message.objects.select_related("abandonment").get(kind="recovery")


def the_mail() -> EmailMultiAlternatives:
    """Give the last mail that was sent."""
    sent = mail.outbox[-1]
    assert isinstance(sent, EmailMultiAlternatives)
    return sent


def link(kind: str) -> str:
    """Give the path of a link of the last mail: `c/r`, `e/u` or `e/p`."""
    found = re.search(rf"http://testserver(/{kind}/[A-Za-z0-9_-]+)", str(the_mail().body))
    assert found, the_mail().body
    return found.group(1)
