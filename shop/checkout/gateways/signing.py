"""Signatures of webhooks: HMAC-SHA256 over time and raw body, as the large providers do it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from shop.checkout.errors import WebhookRefusedError

HEADER = "webhook-signature"
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def sign(*, body: bytes, secret: str, at: datetime) -> str:
    """Make the header's value: `t=<seconds since 1970>,v1=<64 lower-case hex digits>`."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(body, secret, seconds)}"


def verify(
    *,
    body: bytes,
    headers: Mapping[str, str],
    secrets: tuple[str, ...],
    tolerance_seconds: int,
    now: datetime,
    header: str = HEADER,
) -> None:
    """Check the signature header against each secret (two are valid during rotation), in constant time.

    :raises WebhookRefusedError: if there is no header, its time is missing or more than `tolerance_seconds`
        away from `now` in either direction, or no signature in it fits the raw body.
    """
    value = next((text for name, text in headers.items() if name.lower() == header), "")
    parts = [part.strip().partition("=") for part in value.split(",")]
    times = [text for name, _, text in parts if name == "t"]
    signatures = [text for name, _, text in parts if name == "v1" and _SIGNATURE.fullmatch(text)]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not signatures:
        raise WebhookRefusedError
    seconds = int(times[0])
    if abs(now.timestamp() - seconds) > tolerance_seconds:
        raise WebhookRefusedError
    expected = [_digest(body, secret, seconds) for secret in secrets]
    # Every pair is compared, so that the time taken tells nothing.
    if not any([hmac.compare_digest(mine, given) for mine in expected for given in signatures]):  # noqa: C419 - see above
        raise WebhookRefusedError


def _digest(body: bytes, secret: str, seconds: int) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
