"""Hide personal data where it is not needed in full."""

from __future__ import annotations


def mask(address: str) -> str:
    """Hide a mail address but for its first character and its domain: `a***@example.com`."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***"


def mask_owner(owner: str) -> str:
    """Name an owner without telling a guest's whole hash: `u:42`, `g:9f3a1b`."""
    kind, _, key = owner.partition(":")
    return owner if kind == "u" else f"{kind}:{key[:6]}"
