"""What must be true of the carts' server; run by `manage.py check --deploy`, the first also at the recorder's start."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Critical, Warning, register  # noqa: A004 - Django's name

from cart import selectors
from cart.errors import CartsUnavailableError

EVICTION = "cart.E001"
FILE = "cart.E002"
OPEN = "cart.E003"
OLD = "cart.E004"
UNPATCHED = "cart.W001"
EVICTED = "cart.W002"

LEAST = (6, 2)
PATCHED: tuple[tuple[int, ...], ...] = ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2))
"""The first release of each line in which CVE-2025-49844 is mended: until then a script could take over the server
(https://github.com/redis/redis/security/advisories/GHSA-4789-qfc9-5f9q). Lines in
between never were, later ones are."""
HOLE = ((7, 2), (8, 6, 3))
"""From which release to before which one a blocked client that is evicted leaves memory in use that is freed:
CVE-2026-23479."""


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


@register(deploy=True)
def carts_outlive_the_server(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Refuse a server that keeps carts in its memory only. One that cannot be asked is not judged."""
    try:
        is_kept = selectors.keeps_file()
    except CartsUnavailableError:
        return []
    if is_kept is not False:
        return []
    message = "The server at CART_REDIS_URL has appendonly no: it must be yes, or its end loses what was just changed."
    return [Critical(message, id=FILE)]


@register(deploy=True)
def the_server_is_not_open_to_the_network(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Refuse a server on another machine that asks for no password."""
    address = urlsplit(settings.CART.redis_url)
    is_here = address.scheme == "unix" or address.hostname in ("localhost", "127.0.0.1", "::1")
    if is_here or address.password:
        return []
    message = "CART_REDIS_URL names a server on another machine without a password: redis://user:password@host/0."
    return [Critical(message, id=OPEN)]


@register(deploy=True)
def the_server_is_new_enough(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Refuse a server without what carts need, and warn of one that may still have a hole that was mended since.

    Only a warning: distributions mend old versions and leave their number.
    """
    try:
        versions = selectors.server_versions()
    except CartsUnavailableError:
        return []
    found: list[CheckMessage] = []
    for version in sorted(versions):
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
        if numbers[:2] < LEAST:
            found.append(Critical(f"The server at CART_REDIS_URL is Redis {version}: it must be 6.2 or newer.", id=OLD))
        elif numbers < next((first for first in PATCHED if first[:2] == numbers[:2]), PATCHED[-1]):
            message = (
                f"The server at CART_REDIS_URL is Redis {version}, for which CVE-2025-49844 was not mended at first."
                " Make sure that your distribution has done so, or upgrade."
            )
            found.append(Warning(message, id=UNPATCHED))
        elif HOLE[0] <= numbers < HOLE[1]:
            message = (
                f"The server at CART_REDIS_URL is Redis {version}, for which CVE-2026-23479 was not mended at first."
                " Make sure that your release has it mended, or upgrade; until then leave maxmemory-clients at 0."
            )
            found.append(Warning(message, id=EVICTED))
    return found
