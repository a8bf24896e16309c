"""When a campaign does harm: shares of its mails that went wrong, or that people did not want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ENOUGH = 500
"""Of fewer sends nothing is said."""
MOST = (
    ("unknown", 0.01),
    ("render", 0.01),
    ("refused", 0.03),
    ("bounced", 0.03),
    ("complained", 0.001),
    ("opted_out", 0.02),
)
"""What may go wrong with the last sends before a campaign pauses. Of 1,000 readers 1 to 8 opt out of any reminder."""
FEWEST = {"complained": 3}
"""A share of so few sends says nothing: at least so many."""
EVERYWHERE = ("complained", 0.003)
"""So many complaints over all campaigns endanger the sender: what goes on costs the order mails, too."""
KINDS = tuple(name for name, _ in MOST)
UNWANTED = ("complained", "opted_out")
"""What its readers say, not its transport."""


def trouble(seen: Mapping[str, int], *, kinds: Sequence[str] = KINDS) -> str:
    """Name what is too much of these sends, with its number; empty if nothing is. Their number is `seen["all"]`."""
    total = seen.get("all", 0)
    for kind, most in MOST:
        found = seen.get(kind, 0)
        if kind in kinds and total >= ENOUGH and found > most * total and found >= FEWEST.get(kind, 1):
            return f"{kind}: {found} of the last {total}"
    return ""


def trouble_everywhere(complained: int, sends: int) -> str:
    """Name it if far too many readers of the last reminders of all campaigns complained; empty if not."""
    kind, most = EVERYWHERE
    if sends >= ENOUGH and complained > most * sends and complained >= FEWEST[kind]:
        return f"{kind}: {complained} of the last {sends} of all campaigns"
    return ""
