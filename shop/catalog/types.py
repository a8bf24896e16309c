"""Frozen values of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SkuCard:
    """What is needed to show one SKU anywhere: in a list, in a cart, in a mail."""

    sku_id: str
    title: str
    """The product's title with what tells this SKU from its siblings, such as "Enamel mug, large, slate"."""
    product_title: str
    product_slug: str
    options: tuple[tuple[str, str], ...]
    """Pairs of name and value, such as ("Size", "350 ml")."""
    image_url: str
    """A path on this host."""
    url: str
    """The path of the product page with this SKU chosen."""
    is_sellable: bool

    @property
    def bitmap_url(self) -> str:
        """The path of the same picture as PNG, for mails."""
        return self.image_url.replace(".svg", ".png", 1)


@dataclass(frozen=True, slots=True)
class ProductCard:
    """A product in a list, with its SKUs in order."""

    slug: str
    title: str
    category: str
    description: str
    image_url: str
    url: str
    skus: tuple[SkuCard, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of products; `number` counts from 1."""

    products: tuple[ProductCard, ...]
    number: int
    pages: int
    found: int


@dataclass(frozen=True, slots=True)
class SkuSlice:
    """A slice of SKUs in order of their id; `next_cursor` is opaque, empty at the end."""

    skus: tuple[SkuCard, ...]
    next_cursor: str
