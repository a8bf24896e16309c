"""How a motif is drawn: which one, in which colours, on which ground."""

from __future__ import annotations

import hashlib
import itertools
import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("motifs.svg")
_MOTIF = re.compile(r'  <g id="([a-z]+)">(.+)</g>')

MAIN, LIGHT, DARK, WOOD, METAL, PALE = "#778899", "#AABBCC", "#445566", "#CC9966", "#334455", "#FFEEDD"
"""The stand-ins in `motifs.svg`."""

NOUNS: dict[str, str] = {
    "beaker": "cup",
    "bedspread": "throw",
    "blanket": "throw",
    "bib": "apron",
    "casserole": "pan",
    "diary": "book",
    "espresso": "mug",
    "flask": "bottle",
    "folder": "book",
    "frying": "pan",
    "hamper": "basket",
    "journal": "book",
    "mat": "textile",
    "napkins": "textile",
    "notebook": "book",
    "pillowcase": "bed",
    "planter": "pot",
    "platter": "plate",
    "rack": "tray",
    "rug": "roll",
    "saucepan": "pan",
    "secateurs": "shears",
    "sheet": "bed",
    "sketchbook": "book",
    "tablecloth": "textile",
    "teapot": "kettle",
    "tin": "box",
    "tote": "bag",
    "towel": "textile",
    "towels": "textile",
    "tumbler": "glass",
    "vase": "jug",
    "washbag": "bag",
    "cover": "bed",
}

PHRASES: dict[str, str] = {
    "floor-lamp": "floorlamp",
    "pendant-lamp": "pendant",
    "desk-lamp": "desklamp",
    "reading-lamp": "desklamp",
    "rolling-pin": "pin",
    "watering-can": "can",
    "soap-dish": "dish",
    "candle-holder": "holder",
    "pencil-pot": "cup",
    "toothbrush-mug": "cup",
    "lunch-box": "box",
    "bread-bin": "box",
    "hand-fork": "fork",
    "wash-bag": "bag",
    "storage-jar": "jar",
    "bird-feeder": "feeder",
    "cushion-cover": "cushion",
    "picnic-rug": "roll",
    "chopping-board": "board",
    "duvet-cover": "bed",
}
"""Where two words together say more than the last one."""

COLOURS: dict[str, str] = {
    "berry": "#8E3B56",
    "black": "#2F3538",
    "brass": "#B8944F",
    "charcoal": "#454D52",
    "clear": "#B9D3D6",
    "copper": "#B87651",
    "coral": "#DE8A74",
    "cream": "#EFE6D2",
    "forest": "#3F6B52",
    "green": "#5F8A63",
    "grey": "#8C959A",
    "ink": "#26384F",
    "lilac": "#A396C2",
    "maple": "#D8B48A",
    "mustard": "#D0A244",
    "natural": "#D6C19E",
    "navy": "#2F4666",
    "oak": "#C49A6C",
    "ochre": "#C28A3A",
    "olive": "#7C7F4A",
    "plum": "#6A4360",
    "red": "#B5483F",
    "rose": "#D49A99",
    "sage": "#8BA48B",
    "sand": "#D9C7A5",
    "sky": "#8AB2D2",
    "slate": "#5B6B75",
    "smoke": "#77807F",
    "steel": "#A7B2B8",
    "stone": "#B8B2A6",
    "teal": "#2E7F86",
    "terracotta": "#C0714F",
    "walnut": "#7A5640",
    "white": "#F6F4EF",
}

MATERIALS: dict[str, str] = {
    "bamboo": "natural",
    "beech": "maple",
    "beeswax": "mustard",
    "brass": "brass",
    "canvas": "sand",
    "cedar": "terracotta",
    "copper": "copper",
    "cork": "oak",
    "glass": "clear",
    "iron": "charcoal",
    "jute": "natural",
    "leather": "walnut",
    "linen": "sand",
    "maple": "maple",
    "oak": "oak",
    "rattan": "oak",
    "seagrass": "natural",
    "slate": "slate",
    "steel": "steel",
    "stoneware": "stone",
    "terracotta": "terracotta",
    "walnut": "walnut",
    "willow": "oak",
    "wool": "grey",
}

GROUNDS = ("#DCE3E1", "#E3E0D8", "#DAE1E6", "#E5DEDC", "#DFE3D8", "#E0DDE5")
QUIET = ("slate", "sage", "terracotta", "navy", "mustard", "teal", "rose", "stone")

_BLACK = "#1B2023"
_WHITE = "#FFFFFF"


def draw_motif(slug: str, colour: str) -> str:
    """Draw what the slug's words name, in `colour` if it is a known one, else in its material's or a quiet one."""
    seed = hashlib.sha256(slug.encode()).digest()
    words = slug.split("-")
    material = next((MATERIALS[word] for word in words if word in MATERIALS), QUIET[seed[0] % len(QUIET)])
    main = COLOURS.get(colour) or COLOURS[material]
    inks = {
        MAIN: main,
        LIGHT: _mix(main, _WHITE, 0.34),
        DARK: _mix(main, _BLACK, 0.34),
        WOOD: COLOURS["oak"] if main != COLOURS["oak"] else COLOURS["walnut"],
        METAL: "#3A4247",
        PALE: "#FAF8F3",
    }
    shapes = motifs()[motif_of(words)]
    for token, ink in inks.items():
        shapes = shapes.replace(token, ink)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 160" width="160" height="160">'
        f'<rect width="160" height="160" fill="{GROUNDS[seed[1] % len(GROUNDS)]}"/>'
        f'<ellipse cx="80" cy="130" rx="56" ry="6" fill="{_BLACK}" opacity=".12"/>{shapes}</svg>'
    )


def motif_of(words: list[str]) -> str:
    """Choose the motif: two words that belong together, else the last word that names one, else a parcel."""
    for first, second in reversed(list(itertools.pairwise(words))):
        if f"{first}-{second}" in PHRASES:
            return PHRASES[f"{first}-{second}"]
    known = NOUNS | {name: name for name in motifs()}
    return next((known[word] for word in reversed(words) if word in known), "parcel")


@cache
def motifs() -> dict[str, str]:
    """Read the motifs by name."""
    found = map(_MOTIF.fullmatch, _FILE.read_text(encoding="utf-8").splitlines())
    return {match[1]: match[2] for match in found if match}


def _mix(colour: str, other: str, share: float) -> str:
    """Blend `share` of `other` into `colour`, both `#RRGGBB`."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)
