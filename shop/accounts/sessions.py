"""Web sessions that say whose they are, so that a customer's can be ended without looking at everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import cached_db


class SessionStore(cached_db.SessionStore):
    """In the cache, and in a table of this app behind it (`SESSION_ENGINE`)."""

    @classmethod
    def get_model_class(cls) -> Any:  # noqa: ANN401 - Django's signature
        """Keep sessions in this app's table."""
        from shop.accounts.models import WebSession  # noqa: PLC0415 - the apps are ready when sessions are

        return WebSession

    def create_model_instance(self, data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - Django's signature
        """Write beside the session who is signed in with it."""
        row: Any = super().create_model_instance(dict(data))
        row.user_id = user_id_of(data)
        return row


def user_id_of(data: Mapping[str, Any]) -> int | None:
    """Tell who is signed in with what a session holds; None if nobody is."""
    found = str(data.get(SESSION_KEY, ""))
    return int(found) if found.isascii() and found.isdigit() else None
