"""Whether a mail was opened by a person: most programs fetch its pictures by themselves."""

from __future__ import annotations

from datetime import timedelta

TOO_SOON = timedelta(seconds=10)
"""Nobody reads so soon after it was handed over; scanners on the way do."""
_PROXIES = ("googleimageproxy", "yahoomailproxy", "bot", "spider", "crawler", "scanner", "preview", "curl", "python")
_APPLE = "mozilla/5.0"
"""All that the proxies of Apple's Mail Privacy Protection say; browsers say more."""


def is_machine(user_agent: str) -> bool:
    """Tell whether a program fetched a mail's picture, by what it calls itself (in any case)."""
    said = user_agent.strip().lower()
    return said in ("", _APPLE) or any(name in said for name in _PROXIES)
