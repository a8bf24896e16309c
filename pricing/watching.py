"""Reads for those who watch over codes: do their counters agree with their uses, and which claims are still open."""

from __future__ import annotations

from dataclasses import dataclass

from shop.core.db import rows

# One statement sees one moment, and whoever claims or releases moves counter and row together.
_DRIFTS = """
SELECT c.id, c.label, c.used, count(r.id) FROM pricing_discountcode c
  LEFT JOIN pricing_redemption r ON r.code_id = c.id AND r.released_at IS NULL
 GROUP BY c.id HAVING c.used <> count(r.id) ORDER BY c.id
"""
_OPEN = """
SELECT DISTINCT checkout_id FROM pricing_redemption
 WHERE released_at IS NULL AND order_number = '' AND claimed_at < now() - make_interval(secs => %(seconds)s)
 ORDER BY checkout_id
"""


@dataclass(frozen=True, slots=True)
class CodeDrift:
    """A code whose counter is not the number of its uses."""

    code_id: int
    label: str
    used: int
    live: int


def list_drifts() -> tuple[CodeDrift, ...]:
    """List codes whose counters differ from their uses."""
    return tuple(CodeDrift(*row) for row in rows(_DRIFTS))


def list_open_claims(*, older_than_seconds: int) -> tuple[str, ...]:
    """List checkouts that have claimed a code so long ago and have not ordered."""
    return tuple(row[0] for row in rows(_OPEN, {"seconds": older_than_seconds}))
