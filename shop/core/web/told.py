"""Lines that one page gives to the next to tell, carried in its address.

A signed value needs no session and survives a reload, and nobody can put words of their own into it. It has to fit into
an address, so it names so many things at most, each at no great length.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core import signing
from django.utils.translation import ngettext

MOST = 20
_LENGTH = 90
_SALT = "shop.told"
_MAX_PACKED = 3_600
"""Servers take a request line of 4,094 characters."""


def pack_told(lines: Sequence[str]) -> str:
    """Write lines for a query string, 20 of them or as many as fit; the rest is only counted."""
    written = (signing.dumps(_shortened(lines, most), salt=_SALT, compress=True) for most in range(MOST, -1, -1))
    return next(packed for packed in written if len(packed) <= _MAX_PACKED)


def _shortened(lines: Sequence[str], most: int) -> list[str]:
    kept = [line if len(line) <= _LENGTH else line[: _LENGTH - 1] + "…" for line in lines[:most]]
    more = len(lines) - len(kept)
    return [*kept, ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}] if more else kept


def unpack_told(text: str) -> tuple[str, ...]:
    """Read them back; none for nothing, and for anything that this shop did not write."""
    if not text or len(text) > _MAX_PACKED:
        return ()
    try:
        lines = signing.loads(text, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return ()
    return tuple(lines)
