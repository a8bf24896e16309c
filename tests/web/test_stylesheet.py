"""The stylesheet and the scripts: small enough, and every pair of colors can be read."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

STATIC = Path(settings.BASE_DIR) / "shop" / "static" / "shop"
SHEET = (STATIC / "shop.css").read_text()
TEXT, CONTROL = 4.5, 3.0
PAIRS = [
    ("ink", "bg", TEXT),
    ("ink", "surface", TEXT),
    ("ink-2", "surface", TEXT),
    ("ink-2", "sunken", TEXT),
    ("ink-3", "sunken", TEXT),
    ("ink-3", "bg", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("accent", "surface", TEXT),
    ("accent", "bg", TEXT),
    ("accent-hover", "surface", TEXT),
    ("info", "info-bg", TEXT),
    ("warn", "warn-bg", TEXT),
    ("bad", "bad-bg", TEXT),
    ("bad", "surface", TEXT),
    ("good", "good-bg", TEXT),
    ("control", "surface", CONTROL),
    ("control", "bad-bg", CONTROL),
    ("ink", "warn-bg", CONTROL),
]


def tokens(scheme: str) -> dict[str, str]:
    """Read the colors of a scheme out of the stylesheet; the dark one overrides the light one."""
    light, dark = SHEET.split("@media (prefers-color-scheme:dark)", 1)
    text = light if scheme == "light" else light + dark.split("}}", 1)[0]
    return dict(re.findall(r"--([a-z0-9-]+):(#[0-9A-Fa-f]{3,6})", text))


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_a_pair_of_colors_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    colors = tokens(scheme)
    lighter, darker = sorted((luminance(colors[front]), luminance(colors[back])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least


def packed(*names: str) -> int:
    files = [finders.find(name) for name in names]
    assert all(files)
    return sum(len(gzip.compress(Path(str(file)).read_bytes(), 9)) for file in files)


def test_the_stylesheet_is_at_most_six_kilobytes() -> None:
    assert packed("shop/shop.css") <= 6 * 1024


@pytest.mark.parametrize(
    ("names", "limit"),
    [
        (("shop/badge.js", "shop/kept.js", "shop/product.js"), 2),
        (("shop/badge.js", "shop/cart.js", "django_htmx/htmx-2.min.js"), 20),
        (("shop/badge.js", "shop/checkout.js"), 3),
        (("shop/badge.js", "shop/local.js", "shop/client/rows.js", "shop/client/changes.js", "shop/client/page.js"), 8),
    ],
)
def test_the_scripts_of_a_page_stay_small(names: tuple[str, ...], limit: int) -> None:
    assert packed(*names) <= limit * 1024


def test_the_stylesheet_names_no_side_of_the_screen() -> None:
    assert not re.findall(r"(?:margin|padding|border|inset)-(?:left|right)|text-align:\s*(?:left|right)", SHEET)
