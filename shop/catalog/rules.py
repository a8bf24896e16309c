"""Pure decisions of the catalogue: which texts can be SKUs, how titles and searches are made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SKU_ID_MAX_LENGTH = 64
SEARCH_MAX_LENGTH = 200
SEARCH_MAX_WORDS = 8

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORBIDDEN_IN_SKU = frozenset('/\\,?#%"<>')
"""Characters that mean something in a path, in a list of ids or in markup."""
_ORDINARY = re.compile(rf"[A-Za-z0-9][A-Za-z0-9-]{{0,{SKU_ID_MAX_LENGTH - 1}}}", re.ASCII)
"""What nearly every SKU looks like; nothing below can be wrong with it but the reserved words."""
_RESERVED = frozenset({".", "..", "__proto__", "constructor", "prototype"})


def canonical_sku_id(text: str) -> str | None:
    """Bring a SKU id into its one form (NFC, no surrounding space); None if no SKU can have it.

    No SKU is empty, longer than 64 characters, begins with `@` (the cart's own fields do), or holds control and
    format characters (line breaks, right-to-left overrides), lone surrogates, or what splits a path or a list.
    Case counts.
    """
    if len(text) > SKU_ID_MAX_LENGTH * 4:
        return None
    if _ORDINARY.fullmatch(text) and text not in _RESERVED:
        return text
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in text):
        return None
    sku_id = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(sku_id) <= SKU_ID_MAX_LENGTH or sku_id.startswith("@") or sku_id in _RESERVED:
        return None
    if any(character in _FORBIDDEN_IN_SKU or (character.isspace() and character != " ") for character in sku_id):
        return None
    return sku_id


def sku_title(product_title: str, options: Sequence[tuple[str, str]]) -> str:
    """Name a SKU by its product and what tells it from its siblings: "Enamel mug, 350 ml, slate"."""
    return ", ".join([product_title, *(value for _, value in options)])


def search_words(query: str) -> tuple[str, ...]:
    """Split what a shopper typed into at most 8 words; what PostgreSQL cannot take (NUL, surrogates) is a gap."""
    clean = "".join(
        " " if unicodedata.category(character) in _FORBIDDEN_CATEGORIES else character
        for character in query[:SEARCH_MAX_LENGTH]
    )
    return tuple(unicodedata.normalize("NFC", clean).split()[:SEARCH_MAX_WORDS])


def is_options(value: object) -> bool:
    """Tell whether `value` is a list of pairs of non-empty texts, each name once: `[["Size", "350 ml"], …]`."""
    if not isinstance(value, list):
        return False
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 - name and value
            return False
        if not all(isinstance(text, str) and text.strip() for text in pair):
            return False
    return len({pair[0] for pair in value}) == len(value)
