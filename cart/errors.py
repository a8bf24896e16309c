"""Refusals of the cart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import ConflictError, RejectedError, UnavailableError


@dataclass(eq=False)
class QuantityInvalidError(RejectedError):
    """A quantity is not a whole number in the allowed range (details: `not_an_integer`, `min_value`)."""

    code: ClassVar[str] = "validation_failed"


@dataclass(eq=False)
class QuantityTooLargeError(RejectedError):
    """More of one SKU than a cart takes (detail `max_value` with `limit`)."""

    code: ClassVar[str] = "quantity_too_large"

    limit: int


@dataclass(eq=False)
class CartFullError(RejectedError):
    """More different SKUs than a cart takes."""

    code: ClassVar[str] = "cart_full"

    limit: int


@dataclass(eq=False)
class SkuNotSellableError(RejectedError):
    """The SKU exists but is not sold (any more)."""

    code: ClassVar[str] = "sku_not_sellable"

    sku_id: str


@dataclass(eq=False)
class CartChangedError(ConflictError):
    """`If-Match` named another version (412)."""

    code: ClassVar[str] = "cart_changed"

    version: int


@dataclass(eq=False)
class CartLockedError(ConflictError):
    """The cart is being paid for or merged."""

    code: ClassVar[str] = "cart_locked"


@dataclass(eq=False)
class CartFrozenError(CartLockedError):
    """A merge of this guest cart has begun and was not finished; `services.finish_merge` finishes it."""


@dataclass(eq=False)
class CartMergedError(ConflictError):
    """This guest cart was merged into a customer's: its token is dead, the next write needs a new one."""

    code: ClassVar[str] = "cart_merged"


@dataclass(eq=False)
class SavedListFullError(RejectedError):
    """More different SKUs than a saved list takes."""

    code: ClassVar[str] = "saved_list_full"

    limit: int


@dataclass(eq=False)
class LineUnknownError(RejectedError):
    """What is to be moved is not in the list that it should leave (detail `not_in_list`)."""

    code: ClassVar[str] = "validation_failed"


@dataclass(eq=False)
class UndoExpiredError(ConflictError):
    """There is nothing to undo under this token any more (410)."""

    code: ClassVar[str] = "undo_expired"


@dataclass(eq=False)
class UndoSupersededError(ConflictError):
    """The same lines were changed since (409)."""

    code: ClassVar[str] = "undo_superseded"


@dataclass(eq=False)
class MergeSourceGoneError(ConflictError):
    """The guest cart to be merged does not exist, or was merged into another customer's."""

    code: ClassVar[str] = "merge_source_gone"


@dataclass(eq=False)
class MergeQuestionGoneError(ConflictError):
    """What is answered was not asked, or was answered before, differently."""

    code: ClassVar[str] = "merge_question_gone"


@dataclass(eq=False)
class DeadLetterStandsError(RejectedError):
    """A dead letter cannot be recorded, and there is no live cart to record in its place."""

    code: ClassVar[str] = "dead_letter_stands"


@dataclass(eq=False)
class RegionUnknownError(RejectedError):
    """The shop has no such region, or only one."""

    code: ClassVar[str] = "region_unknown"


@dataclass(eq=False)
class OperationReusedError(RejectedError):
    """The operation id (Idempotency-Key) was used for another change."""

    code: ClassVar[str] = "idempotency_key_reused"


@dataclass(eq=False)
class CartsUnavailableError(UnavailableError):
    """Redis cannot answer: carts can be read from their copy, not changed."""

    code: ClassVar[str] = "carts_unavailable"
