"""Tables that people open in a spreadsheet."""

from __future__ import annotations


def defused(cell: object) -> object:
    """Keep a spreadsheet from taking text for a formula; numbers stay numbers (OWASP, CSV injection)."""
    is_risky = isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")
    return f"'{cell}" if is_risky else cell
