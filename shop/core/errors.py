"""Refusals: what a service says instead of doing it. They know no HTTP and hold no prose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

ParamValue = str | int | None


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One wrong part of a request.

    `pointer` is a JSON pointer into the request body (`/items/0/quantity`) or into the cart
    (`/items/MUG-350-SLATE`); `code` is stable; `params` are numbers and ids that words may use
    (`limit`, `requested`, `buyable`, `retry_after` in seconds).
    """

    pointer: str
    code: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - a refusal is no mistake; the word is the house's own
    """A declared error: nothing was changed. Subclasses set a stable `code` and may add typed fields."""

    code: ClassVar[str] = "refused"

    errors: tuple[ErrorDetail, ...] = field(default=(), kw_only=True)
    retry_after_seconds: int | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        """Name the refusal for logs; never shown to a customer."""
        return f"{self.code} {[(e.pointer, e.code) for e in self.errors]}"


@dataclass(eq=False)
class NotFoundError(Refusal):
    """Absent, or not the caller's: the two look the same."""

    code: ClassVar[str] = "not_found"


@dataclass(eq=False)
class RejectedError(Refusal):
    """Understood, but invalid."""

    code: ClassVar[str] = "validation_failed"


@dataclass(eq=False)
class ConflictError(Refusal):
    """The present state forbids it."""

    code: ClassVar[str] = "conflict"


@dataclass(eq=False)
class UnavailableError(Refusal):
    """A part that is needed cannot answer now; the same request may succeed later."""

    code: ClassVar[str] = "unavailable"


@dataclass(eq=False)
class TooOftenError(UnavailableError):
    """The caller, or the network that they come from, has done this too often within the last minute."""

    code: ClassVar[str] = "rate_limited"


@dataclass(eq=False)
class BusyError(UnavailableError):
    """A lock was not to be had in time: many want the same row."""

    code: ClassVar[str] = "busy"
