"""Whether a person opened a mail or followed its link: many programs do so by themselves."""

from __future__ import annotations

import re
from datetime import timedelta

TOO_SOON = timedelta(seconds=10)
"""Nobody reads so soon after it was handed over; scanners on the way do."""
_PROGRAMS = re.compile(
    r"googleimageproxy|yahoomailproxy|(?<!cu)bot|spider|crawler|scanner|linkpreview|curl/|python"  # Cubot makes phones
)
_APPLE = "mozilla/5.0"
"""All that the proxies of Apple's Mail Privacy Protection say; browsers say more."""


def is_machine(user_agent: str) -> bool:
    """Tell whether a program asks, by what it calls itself (in any case)."""
    said = user_agent.strip().lower()
    return said in ("", _APPLE) or _PROGRAMS.search(said) is not None
