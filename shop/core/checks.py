"""What should be true of the database's server (`migrate`, `check --database default`) and of the proxy in front."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Critical, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from shop.core.conf import conf

OLD = "core.E001"
UNPATCHED = "core.W001"
ONE_ADDRESS = "core.W002"
LEAST = 15
PATCHED: dict[int, int] = {15: 18, 16: 14, 17: 10, 18: 4}
"""The first minor release of each line in which the holes of May 2026 are mended, of which CVE-2026-6473 lets whoever
brings the input of a statement write beyond a buffer
(https://www.postgresql.org/about/news/postgresql-184-1710-1614-1518-and-1423-released-3297/)."""


@register(Tags.database)
def the_database_is_fit(**asked: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Refuse a server of a line that is too old, and warn of one that may still have holes that were mended since.

    Only a warning: distributions mend old releases and leave their number. Nothing where no database is asked about.
    """
    return [fault for alias in asked.get("databases") or () for fault in _faults(server_version(connections[alias]))]


def server_version(connection: BaseDatabaseWrapper) -> int:
    """Ask a server for its version, such as 170010."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version)


def _faults(version: int) -> list[CheckMessage]:
    line, minor = divmod(version, 10_000)
    if line < LEAST:
        return [Critical(f"The database's server is PostgreSQL {line}: it must be {LEAST} or newer.", id=OLD)]
    first = PATCHED.get(line)
    if first is None or minor >= first:
        return []
    message = (
        f"The database's server is PostgreSQL {line}.{minor}, for which CVE-2026-6473 was not mended at first."
        f" Make sure that your distribution has done so, or upgrade to {line}.{first} or later."
    )
    return [Warning(message, id=UNPATCHED)]


@register(Tags.security, deploy=True)
def callers_can_be_told_apart(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's
    """Warn of a shop behind a proxy that takes the proxy's address for everybody's."""
    is_behind_a_proxy = getattr(settings, "SECURE_PROXY_SSL_HEADER", None) is not None
    if not is_behind_a_proxy or conf().trusted_proxies:
        return []
    message = (
        "TRUST_X_FORWARDED_PROTO says that a proxy stands in front, API_TRUSTED_PROXIES that none does: all shoppers"
        " have its address, and what is limited by address (sign-ins, codes, reservations) is limited for all of them"
        " together. Set API_TRUSTED_PROXIES to the number of proxies that append to X-Forwarded-For."
    )
    return [Warning(message, id=ONE_ADDRESS)]
