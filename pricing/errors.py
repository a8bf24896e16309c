"""Refusals of pricing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pricing.types import CodeOff
from shop.core.errors import ConflictError, Refusal, RejectedError
from shop.core.money import Money


@dataclass(eq=False)
class PriceInvalidError(RejectedError):
    """The price is not a possible one (details: `price_range`)."""

    code: ClassVar[str] = "price_invalid"


@dataclass(eq=False)
class CodeUnknownError(RejectedError):
    """There is no such code, or it is another customer's: the two look the same."""

    code: ClassVar[str] = "code_unknown"


@dataclass(eq=False)
class CodeNotYetError(RejectedError):
    """The code is not valid yet."""

    code: ClassVar[str] = "code_not_yet"


@dataclass(eq=False)
class CodeExpiredError(RejectedError):
    """The code is over, or was revoked."""

    code: ClassVar[str] = "code_expired"


@dataclass(eq=False)
class CodeUsedUpError(RejectedError):
    """All uses of the code are taken, or this customer's."""

    code: ClassVar[str] = "code_used_up"

    label: str = ""


@dataclass(eq=False)
class PromotionUsedUpError(ConflictError):
    """All uses of the promotion are taken, or this customer's. Checkout answers it with the total without it."""

    code: ClassVar[str] = "promotion_used_up"

    label: str = ""


@dataclass(eq=False)
class CodeMinimumError(RejectedError):
    """What the code covers costs less than it asks for."""

    code: ClassVar[str] = "code_minimum"

    minimum: Money


@dataclass(eq=False)
class CodeNotForCartError(RejectedError):
    """The code covers nothing of this cart, or is for other customers or another currency."""

    code: ClassVar[str] = "code_not_for_cart"


@dataclass(eq=False)
class CodeNotCombinableError(ConflictError):
    """The code does not go together with another code, or with the promotions on these items."""

    code: ClassVar[str] = "code_not_combinable"


@dataclass(eq=False)
class CodeTakenError(RejectedError):
    """There is such a code already, or it cannot be a code."""

    code: ClassVar[str] = "code_taken"


def refusal_of(off: CodeOff) -> Refusal:
    """Give the refusal that stands for why a code takes nothing off."""
    if off.reason == CodeMinimumError.code and off.minimum is not None:
        return CodeMinimumError(off.minimum)
    if off.reason == CodeUsedUpError.code:
        return CodeUsedUpError(off.label)
    kinds = (CodeNotYetError, CodeExpiredError, CodeNotForCartError, CodeNotCombinableError)
    return next((kind() for kind in kinds if kind.code == off.reason), CodeUnknownError())
