"""What the last action did, carried in the address of the page after it.

A signed value in the query needs no session, survives a reload (the Undo row stays), and goes away by itself when the
shopper moves on. It holds nothing personal, and nobody can put words of their own into it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Literal, cast, get_args

from django.core import signing

Kind = Literal[
    "added",
    "clamped",
    "set",
    "removed",
    "saved",
    "kept",
    "moved",
    "unsaved",
    "emptied",
    "undone",
    "acknowledged",
    "unmerged",
    "code",
    "code_off",
]
_KINDS = frozenset(get_args(Kind))
_SALT = "cart.did"
_MAX_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Did:
    """One action, done. `index` is the place that its row had, −1 if it had none."""

    kind: Kind
    sku_id: str = ""
    title: str = ""
    quantity: int = 0
    undo: str = ""
    index: int = -1


def pack(did: Did) -> str:
    """Write it for a query string."""
    return signing.dumps(astuple(did), salt=_SALT, compress=True)


def unpack(text: str) -> Did | None:
    """Read it back; None for nothing, and for anything that this shop did not write."""
    if not text or len(text) > _MAX_LENGTH:
        return None
    try:
        kind, sku_id, title, quantity, undo, index = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return None
    return Did(cast("Kind", kind), sku_id, title, quantity, undo, index) if kind in _KINDS else None
