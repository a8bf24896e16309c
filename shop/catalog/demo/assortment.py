"""The demo's assortment, worked out from its kinds: the same at every call."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.text import slugify

from shop.catalog.demo.kinds import CARE, KINDS, MATERIALS, Kind

SEED = 1851
MOST_SKUS = 6
Options = tuple[tuple[str, str], ...]
_UNITS = re.compile(r" (?:ml|cm|l)$")


@dataclass(frozen=True, slots=True)
class DemoSku:
    """One SKU of the demo."""

    sku_id: str
    options: Options
    unit_price_minor: int
    on_hand: int
    is_sellable: bool


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """One product of the demo."""

    slug: str
    title: str
    description: str
    category: str
    skus: tuple[DemoSku, ...]


def assortment() -> tuple[DemoProduct, ...]:
    """Work out about 200 products with 1 to 6 SKUs each, in the order of the shop's list.

    Some SKUs have 1 to 5 units left, some none, some are no longer sold.
    """
    chance = random.Random(SEED)  # noqa: S311 - a fixed seed is the point
    products = [_product(kind, variant, chance) for kind in KINDS for variant in kind.variants]
    chance.shuffle(products)
    return tuple(products)


def _product(kind: Kind, variant: str, chance: random.Random) -> DemoProduct:
    title = f"{variant} {kind.noun}"
    # One product in forty has left the range altogether.
    is_retired = chance.random() < 1 / 40
    price = kind.price + chance.choice((-100, 0, 0, 0, 100, 200)) * (1 + kind.price // 4000)
    skus = tuple(
        DemoSku(
            sku_id="-".join([slugify(title).upper(), *(_code(value) for _, value in options)]),
            options=options,
            unit_price_minor=price + more - 50 * (chance.random() < 1 / 4),
            on_hand=_on_hand(chance),
            is_sellable=not is_retired and chance.random() > 1 / 40,
        )
        for options, more in _choices(kind, chance)
    )
    description = " ".join([kind.text, MATERIALS[variant], chance.choice(CARE)])
    return DemoProduct(slugify(title), title, description, kind.category, skus)


def _choices(kind: Kind, chance: random.Random) -> Iterator[tuple[Options, int]]:
    sizes: list[tuple[Options, int]] = [((("Size", size),), more) for size, more in kind.sizes] or [((), 0)]
    most = max(1, MOST_SKUS // len(sizes))
    names = kind.colours if len(kind.colours) <= most else tuple(sorted(chance.sample(kind.colours, most)))
    colours: list[Options] = [(("Colour", colour),) for colour in names] or [()]
    for size, more in sizes:
        for colour in colours:
            yield (*size, *colour), more


def _code(value: str) -> str:
    return _UNITS.sub("", value).replace(" × ", "X").replace(" ", "-").upper()


def _on_hand(chance: random.Random) -> int:
    place = chance.random()
    if place < 0.07:  # noqa: PLR2004 - a share
        return 0
    if place < 0.19:  # noqa: PLR2004 - a share
        return chance.randint(1, 5)
    return chance.randint(8, 120)
