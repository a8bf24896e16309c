"""What must be true of the carts' server; run by `manage.py check --deploy` and at the recorder's start."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Critical, register

from cart import selectors
from cart.errors import CartsUnavailableError

EVICTION = "cart.E001"


@register(deploy=True)
def carts_are_never_evicted(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Refuse a server that throws carts away when it is full. One that cannot be asked is not judged."""
    try:
        policy = selectors.eviction_policy()
    except CartsUnavailableError:
        return []
    if policy in ("noeviction", ""):
        return []
    message = f"The server at CART_REDIS_URL has maxmemory-policy {policy}: it must be noeviction, or carts get lost."
    return [Critical(message, id=EVICTION)]
