"""Generated pictures of products: calm, flat, the same for the same name; no photograph is needed to run the shop."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.text import slugify

from shop.catalog.errors import PictureUnknownError
from shop.catalog.pictures.drawing import draw_motif

VERSION = 1
"""Raise it when the drawings change: pictures are cached for ever under their address."""

COLOUR_OPTION = "Colour"
BITMAP_PIXELS = 144
"""Of a bitmap's edge: mails show it at half of that, sharp on any screen."""
_NAME = re.compile(r"[a-z0-9_]+(?:-{1,2}[a-z0-9_]+)*", re.ASCII)
_NAME_MAX_LENGTH = 160


def picture_name(slug: str, options: Sequence[tuple[str, str]] = ()) -> str:
    """Name a picture: the product's slug, then `--` and the SKU's colour if it has one."""
    colour = next((slugify(value) for name, value in options if name == COLOUR_OPTION), "")
    return f"{slug}--{colour}" if colour else slug


def picture_url(slug: str, options: Sequence[tuple[str, str]] = ()) -> str:
    """Give the path of a picture; it may be cached for ever."""
    return f"/pictures/{picture_name(slug, options)}.svg?v={VERSION}"


def draw(name: str) -> str:
    """Draw the picture of a name made by `picture_name`, as SVG of at most 8 kB.

    The motif follows from the words of the slug ("mug", "lamp"), the colour from what stands after `--`.

    :raises PictureUnknownError: if no product's picture could have this name.
    """
    if len(name) > _NAME_MAX_LENGTH or not _NAME.fullmatch(name.lower()):
        raise PictureUnknownError(name)
    slug, _, colour = name.lower().partition("--")
    return draw_motif(slug, colour)


def draw_bitmap(name: str) -> bytes:
    """Draw the same picture as PNG, 144 by 144 pixels, about 2 kB: mail programs show no SVG.

    :raises PictureUnknownError: if no product's picture could have this name.
    """
    import resvg_py  # noqa: PLC0415 - a megabyte that only pictures in mails need

    return bytes(
        resvg_py.svg_to_bytes(svg_string=draw(name), width=BITMAP_PIXELS, height=BITMAP_PIXELS, skip_system_fonts=True)
    )
