"""Refusals of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import NotFoundError, RejectedError


@dataclass(eq=False)
class SkuUnknownError(NotFoundError):
    """There is no SKU of this id."""

    code: ClassVar[str] = "sku_unknown"

    sku_id: str


@dataclass(eq=False)
class ProductUnknownError(NotFoundError):
    """There is no product of this slug."""

    code: ClassVar[str] = "product_unknown"

    slug: str


@dataclass(eq=False)
class CursorInvalidError(RejectedError):
    """The cursor of a list was not given out by us (detail `cursor_invalid`)."""

    code: ClassVar[str] = "validation_failed"


@dataclass(eq=False)
class PictureUnknownError(NotFoundError):
    """No product's picture could have this name."""

    code: ClassVar[str] = "picture_unknown"

    name: str


@dataclass(eq=False)
class SkuInvalidError(RejectedError):
    """A text cannot be a SKU id (detail `sku_invalid`)."""

    code: ClassVar[str] = "sku_invalid"
