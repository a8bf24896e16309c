"""Names and addresses of the products' generated pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.text import slugify

VERSION = 1
"""Raise it when the drawings change: pictures are cached for ever under their address."""

COLOUR_OPTION = "Colour"
_NAME = re.compile(r"[a-z0-9]+(?:-{1,2}[a-z0-9]+)*", re.ASCII)
_NAME_MAX_LENGTH = 160


def picture_name(slug: str, options: Sequence[tuple[str, str]] = ()) -> str:
    """Name a picture: the product's slug, then `--` and the SKU's colour if it has one."""
    colour = next((slugify(value) for name, value in options if name == COLOUR_OPTION), "")
    return f"{slug}--{colour}" if colour else slug


def picture_url(slug: str, options: Sequence[tuple[str, str]] = ()) -> str:
    """Give the path of a picture; it may be cached for ever."""
    return f"/pictures/{picture_name(slug, options)}.svg?v={VERSION}"


def is_picture_name(name: str) -> bool:
    """Tell whether `name` could name a picture."""
    return len(name) <= _NAME_MAX_LENGTH and _NAME.fullmatch(name) is not None
