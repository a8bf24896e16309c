"""How mails leave: by the API of a provider that anymail knows, by a mail server, or, without either, elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from shop.core.settings import require

_PREFIX = "ANYMAIL_"
TIMEOUT_SECONDS = 10


def provider(environment: Mapping[str, str]) -> str:
    """Give the mail provider's name as anymail writes it, empty without one.

    :raises ImproperlyConfigured: if anymail knows no such provider.
    """
    name = environment.get(f"{_PREFIX}PROVIDER", "")
    is_known = name.isidentifier() and find_spec(f"anymail.backends.{name}") and find_spec(f"anymail.webhooks.{name}")
    require(not name or is_known, f"{_PREFIX}PROVIDER", "must be a provider that anymail knows, such as postmark.")
    return name


def options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Give anymail its settings: each `ANYMAIL_…` by the name that its documentation has for it."""
    named = {
        name.removeprefix(_PREFIX): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and name != f"{_PREFIX}PROVIDER" and value
    }
    return {"REQUESTS_TIMEOUT": TIMEOUT_SECONDS, **named}


def backend(name: str) -> dict[str, str]:
    """Give what the settings say for mails that go by a provider."""
    return {"EMAIL_BACKEND": f"anymail.backends.{name}.EmailBackend"}
