"""Links for whoever holds them: an order's, from its mail (only hashes are kept), and a payment's, for the payer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.urls import reverse

from shop.checkout.conf import conf
from shop.checkout.models import OrderToken
from shop.core import clock
from shop.core.ids import hash_token, is_token, new_token

TOKEN_DAYS = 90
_PAYER = signing.TimestampSigner(salt="checkout.payer")


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


def payer_path(*, payment_id: str) -> str:
    """Make the address where a payment's payer confirms it, or comes back to after doing so: good without a session.

    An app shows it in a browser that knows nothing of the app's cart, so the link itself is signed.
    """
    return reverse("checkout:payer", args=[_PAYER.sign(payment_id)])


def verify_payer(*, token: str) -> str:
    """Tell which payment a payer's link is for: its id, empty if the link is not ours or outlived the payment."""
    try:
        return _PAYER.unsign(token, max_age=2 * conf().pin_seconds)
    except signing.BadSignature:
        return ""
