"""Secrets that show one order to whoever got its mail. Only their hashes are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from shop.checkout.models import OrderToken
from shop.core import clock
from shop.core.ids import hash_token, is_token, new_token

TOKEN_DAYS = 90


def issue_token(*, number: str, now: datetime) -> str:
    """Make a secret (256 random bits) for one order, good for 90 days; earlier ones stay good.

    A mail that is sent again bears a new secret, so each copy works.
    """
    token = new_token()
    OrderToken.objects.create(
        token_hash=hash_token(f"order:{token}"),
        order_id=number,
        expires_at=now + timedelta(days=TOKEN_DAYS),
    )
    return token


def verify_token(*, token: str) -> str:
    """Tell which order a secret shows: its number, empty if none.

    The page that takes it from a link exchanges it at once for an entry in the session and a clean address. It can be
    used again: mail scanners follow links before people do.
    """
    if not is_token(token):
        return ""
    live = OrderToken.objects.filter(token_hash=hash_token(f"order:{token}"), expires_at__gt=clock.now())
    return live.values_list("order_id", flat=True).first() or ""
